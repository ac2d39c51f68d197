import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { Spool } from '../../src/gateway/spool.ts';
import { Upload } from '../../src/gateway/upload.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

async function read(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test('what is spooled is read again, as often as it is asked for, from a file without a name', async (context) => {
  const directory = join(makeTempDirectory(context), 'spool');
  const file = await new Spool(directory, 1_000_000).open();
  const content = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  await file.append(content.subarray(0, 70_000));
  await file.append(content.subarray(70_000));
  assert.deepEqual(readdirSync(directory), []);
  assert.ok((await read(file.read())).equals(content));
  assert.ok((await read(file.read())).equals(content));
  await file.close();
});

test('a full spool takes no more until something of it is gone; what is closed takes nothing', async (context) => {
  const spool = new Spool(makeTempDirectory(context), 100);
  const [first, second] = [await spool.open(), await spool.open()];
  await first.append(Buffer.alloc(80));
  const isOverloaded = (error: unknown) => error instanceof GatewayError && error.kind === 'overloaded';
  await assert.rejects(second.append(Buffer.alloc(30)), isOverloaded);
  await first.close();
  await first.close();
  await assert.rejects(first.append(Buffer.alloc(1)), /closed/);
  await second.append(Buffer.alloc(100));
  await assert.rejects(second.append(Buffer.alloc(1)), isOverloaded);
  await second.close();
});

test('an upload whose client leaves while the spool opens its file holds none of it', async (context) => {
  const spool = new Spool(makeTempDirectory(context), 10_000_000);
  const source = new Readable({ read() {} });
  source.push(Buffer.from('--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'));
  source.push(Buffer.alloc(2_000_000, 'x'));
  let closed = false;
  const upload: Upload = new Upload({
    source,
    contentType: 'multipart/form-data; boundary=b',
    boundary: 'b',
    length: undefined,
    maxBytes: 10_000_000,
    spool: {
      open: async () => {
        const file = await spool.open();
        upload.close();
        const close = file.close.bind(file);
        file.close = () => {
          closed = true;
          return close();
        };
        return file;
      },
    },
  });
  await assert.rejects(
    upload.readModel(),
    (error) => error instanceof GatewayError && error.kind === 'cancelled',
  );
  assert.ok(closed);
});
