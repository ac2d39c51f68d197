import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pool } from 'undici';
import { type Answer, anyAnswer, writeAnswer } from '../../support/any-answer.ts';
import { startByteServer } from '../../support/byte-server.ts';
import { ask, createConnections, ExchangeRecorder } from '../../support/exchange-recorder.ts';
import { scale } from '../../support/scale.ts';

/** What undici does otherwise, though RFC 9112 allows it: it refuses 100, and spaces around what is behind a chunk's size. */
const common = anyAnswer.map((answer) => ({
  ...answer,
  interim: [],
  chunks: answer.chunks.map((chunk) => ({ ...chunk, extension: chunk.extension.replaceAll(' ', '') })),
}));

type Outcome = { status: number; headers: object; body: string } | 'failed';

let wire: Buffer = Buffer.alloc(0);
let cuts: number[] = [];
const server = await startByteServer((socket) => {
  let from = 0;
  for (const to of [...cuts, wire.length]) {
    socket.write(wire.subarray(from, to));
    from = to;
  }
  socket.end();
});
const connections = createConnections();
const pool = new Pool(server.origin);
test.after(async () => {
  await connections.close();
  await pool.destroy();
  await server.close();
});

function outcomeOf({ error, status, headers, text }: ExchangeRecorder): Outcome {
  return error ? 'failed' : { status, headers: { ...headers }, body: text };
}

async function compare(): Promise<{ ours: Outcome; undicis: Outcome }> {
  const own = ask(connections, server.origin);
  const other = new ExchangeRecorder();
  pool.dispatch({ path: '/', method: 'POST', body: '' }, other);
  await Promise.all([own.over, other.over]);
  return { ours: outcomeOf(own), undicis: outcomeOf(other) };
}

function cutsOf(fractions: readonly number[]): number[] {
  return fractions.map((fraction) => Math.floor(fraction * wire.length)).sort((a, b) => a - b);
}

// Any place is as likely as any other: of doubles most are next to nothing.
const fraction = fc.nat({ max: 999 }).map((thousandths) => thousandths / 1_000);
const fractions = fc.array(fraction, { maxLength: 5 });

test('what is well formed is read as undici reads it', async () => {
  const property = fc.asyncProperty(common, fractions, async (answer: Answer, at) => {
    wire = writeAnswer(answer);
    cuts = cutsOf(at);
    const { ours, undicis } = await compare();
    assert.notEqual(ours, 'failed');
    assert.deepEqual(ours, undicis);
  });
  await fc.assert(property, { numRuns: scale({ sample: 40, heavy: 5_000 }) });
});

/** Bytes that mean something to a parser, and some that mean nothing. */
const splice = fc.record({
  at: fraction,
  removed: fc.nat(3),
  put: fc.constantFrom(
    '',
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    ':',
    ';',
    '0',
    'f',
    '\r\n\r\n',
    'content-length: 3\r\n',
    '\x80',
  ),
});

/** A line that goes on (RFC 9112 5.2), space behind a length (RFC 9110 5.5), the length of a body that there cannot be (RFC 9110 15.3.5, 15.4.5), and what stands beside chunks, of which nothing is taken over: their extensions and trailers. */
function mayBeReadAllTheSame(text: string): boolean {
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  const hasNoBody = /^HTTP\/1\.\d (?:204|304) /.test(head);
  return (
    hasNoBody ||
    /\r\n[ \t]|length:[^\r]*[ \t]\r\n/.test(`${head}\r\n`) ||
    /\r\ntransfer-encoding: chunked/.test(head)
  );
}

/** It is not part of a value (RFC 9110 5.5); undici leaves it there. */
function withoutSpaceBehind(outcome: Outcome): Outcome {
  if (outcome === 'failed') return outcome;
  const trim = (value: string) => value.replace(/[ \t]+$/, '');
  const headers = Object.entries(outcome.headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? trim(value) : value?.map(trim),
  ]);
  return { ...outcome, headers: Object.fromEntries(headers) };
}

test('what is broken is refused, or read as undici reads it: never otherwise', async () => {
  const splices = fc.array(splice, { minLength: 1, maxLength: 3 });
  let refused = 0;
  let read = 0;
  const property = fc.asyncProperty(common, splices, fractions, async (answer: Answer, changes, at) => {
    wire = writeAnswer(answer);
    for (const { at: place, removed, put } of changes) {
      const start = Math.floor(place * wire.length);
      wire = Buffer.concat([
        wire.subarray(0, start),
        Buffer.from(put, 'latin1'),
        wire.subarray(start + removed),
      ]);
    }
    cuts = cutsOf(at);
    const { ours, undicis } = await compare();
    if (ours === 'failed') {
      refused += 1;
      return;
    }
    read += 1;
    if (undicis === 'failed' && mayBeReadAllTheSame(wire.toString('latin1'))) return;
    assert.deepEqual(ours, withoutSpaceBehind(undicis), JSON.stringify(wire.toString('latin1')));
  });
  await fc.assert(property, { numRuns: scale({ sample: 50, heavy: 10_000 }) });
  assert.ok(refused > 0 && read > 0, `${refused} ${read}`);
});
