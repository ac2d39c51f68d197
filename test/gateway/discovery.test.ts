import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { ModelServer } from '../support/model-server.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const ask = { model: 'pool/m', messages: [{ role: 'user', content: 'Hi' }] };

async function startServers(context: TestContext, count: number): Promise<ModelServer[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => new ModelServer().start()));
  context.after(() => Promise.all(servers.map((server) => server.kill())));
  return servers;
}

test('calls go to the addresses that a file lists', async (context) => {
  const servers = await startServers(context, 3);
  const file = join(makeTempDirectory(context), 'servers.txt');
  await writeFile(file, servers.map(({ address }) => `${address}\n`).join(''));
  const gateway = await startGateway({
    providers: {
      pool: { adapter: 'openai-compatible', baseUrl: 'http://models.test/v1', discovery: { file } },
    },
  });
  context.after(() => gateway.stop());
  for (let call = 0; call < 9; call++) {
    const response = await gateway.post('/v1/chat/completions', ask);
    assert.equal(response.status, 200, await response.text());
  }
  assert.deepEqual(
    servers.map(({ answered }) => answered),
    [3, 3, 3],
  );
  assert.equal(servers[0]?.requests[0]?.headers['host'], 'models.test');
});
