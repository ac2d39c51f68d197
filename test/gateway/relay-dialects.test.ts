import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { passThrough as geminiPassThrough } from '../../src/dialects/gemini/pass-through.ts';
import { passThrough as messagesPassThrough } from '../../src/dialects/messages/pass-through.ts';
import { EventBlocks } from '../../src/upstream/event-blocks.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

/** A stream that is relayed between two sides of one dialect, as a provider may send it. */
interface Relayed {
  adapter: 'anthropic' | 'gemini';
  path: string;
  body: object;
  /** Lifecycle events: nothing of an answer. */
  start: string;
  /** With fields and events that nobody knows yet. */
  middle: string;
  end: string;
  /** What ends the stream where `end` is missing its last event. */
  error: RegExp;
  usage: { input: number; output: number };
}

const event = (type: string, fields = '') => `event: ${type}\ndata: {"type":"${type}"${fields}}\n\n`;
const chunk = (json: string) => `data: ${json}\r\n\r\n`;

const RELAYED: Relayed[] = [
  {
    adapter: 'anthropic',
    path: '/v1/messages',
    body: { model: 'up/m', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] },
    start:
      event(
        'message_start',
        ',"message":{"id":"msg_1","content":[],"usage":{"input_tokens":7,"output_tokens":1,"future":1e999}}',
      ) +
      event('ping') +
      event('content_block_start', ',"index":0,"content_block":{"type":"text","text":""}'),
    middle:
      event('content_block_delta', ',"index":0,"delta":{"type":"text_delta","text":"Grüße 😀","x":[]}') +
      event('future_event', ',"a":  {"b":1.0}') +
      ': a comment\n\n' +
      event('content_block_delta', ',"index":0,"delta":{"type":"text_delta","text":" 世界"}') +
      event('content_block_stop', ',"index":0'),
    end:
      event(
        'message_delta',
        ',"delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":7,"output_tokens":5}',
      ) + event('message_stop'),
    error: /\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error"/,
    usage: { input: 7, output: 5 },
  },
  {
    adapter: 'gemini',
    path: '/v1beta/models/up/m:streamGenerateContent?alt=sse',
    body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    start: chunk(
      '{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}],"future":1e999}',
    ),
    middle:
      chunk(
        '{"candidates":[{"content":{"parts":[{"text":"Grüße 😀"}]}}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}',
      ) + chunk('{"candidates":[{"content":{"parts":[{"text":" 世界"}]}}],  "x":{}}'),
    end: chunk(
      '{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}',
    ),
    error: /\ndata: \{"error":\{"code":502,.*"status":"UNAVAILABLE"/,
    usage: { input: 7, output: 5 },
  },
];

/** Sends a text in packets of so many bytes, each of its own; then does what `last` says. */
type Send = (text: string, packetBytes: number, last?: 'end' | 'break') => void;

/** A gateway with a provider of this dialect, which sends what `ask` is given. */
async function setUp(relayed: Relayed) {
  let send: (sender: Send) => void = () => {};
  let calls = 0;
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    send((text, packetBytes, last = 'end') => {
      const bytes = Buffer.from(text);
      let at = 0;
      const next = (): void => {
        if (at >= bytes.length) {
          if (last === 'end') response.end();
          else response.destroy();
          return;
        }
        response.write(bytes.subarray(at, at + packetBytes), () => setImmediate(next));
        at += packetBytes;
      };
      next();
    });
  });
  const baseUrl = upstream.baseUrl.replace(/\/v1$/, '');
  const account = { name: 'main', apiKey: 'k' };
  const gateway = await startGateway({
    providers: { up: { adapter: relayed.adapter, baseUrl, accounts: [account] } },
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  return {
    ask: (sender: (send: Send) => void) => {
      send = sender;
      calls += 1;
      return gateway.post(relayed.path, relayed.body);
    },
    lastRecord: async () => (await gateway.calls(calls)).at(0),
  };
}

// Before any test is there: one that is registered while none is left running would never run.
const SET_UP = await Promise.all(RELAYED.map(async (relayed) => ({ relayed, ...(await setUp(relayed)) })));

for (const { relayed, ask, lastRecord } of SET_UP) {
  const { adapter, start, middle, end, error, usage } = relayed;
  const whole = start + middle + end;

  for (const packetBytes of [1, 2, 3, 7, 64, 100_000]) {
    test(`${adapter}: a stream in packets of ${packetBytes} arrives byte for byte`, async () => {
      assert.equal(await (await ask((send) => send(whole, packetBytes))).text(), whole);
      const record = await lastRecord();
      assert.deepEqual([record?.usage?.input, record?.usage?.output], [usage.input, usage.output]);
      assert.equal(record?.outcome, 'ok');
    });
  }

  test(`${adapter}: what breaks off before any output is an error status`, async () => {
    for (const last of ['end', 'break'] as const) {
      const response = await ask((send) => send(start, 50, last));
      assert.equal(response.status, 502);
      assert.ok('error' in ((await response.json()) as object));
    }
  });

  test(`${adapter}: what breaks off in the middle ends with the dialect's error event`, async () => {
    for (const last of ['end', 'break'] as const) {
      const text = await (await ask((send) => send(start + middle, 50, last))).text();
      assert.ok(text.startsWith(start + middle));
      assert.match(text.slice((start + middle).length - 2), error);
      const record = await lastRecord();
      assert.equal(record?.outcome, 'upstream_unavailable');
      assert.equal(record?.usage?.input, usage.input);
      assert.ok((record?.usage?.output ?? 0) >= 2);
    }
  });
}

for (const { relayed, ask, lastRecord } of SET_UP) {
  const { adapter, start, middle, end, error } = relayed;

  test(`${adapter}: an event that cannot be read is not passed on: the error event stands in its place`, async () => {
    const text = await (await ask((send) => send(`${start}${middle}data: {"broken\n\n${end}`, 50))).text();
    assert.ok(text.startsWith(start + middle));
    assert.match(text.slice((start + middle).length - 2), error);
    assert.doesNotMatch(text, /broken/);
    assert.equal((await lastRecord())?.outcome, 'upstream_unavailable');
  });
}

test('anthropic: a stream without its last event gets it', async () => {
  const relayed = RELAYED.find(({ adapter }) => adapter === 'anthropic');
  assert.ok(relayed);
  const { start, middle, end, path, body } = relayed;
  const last = event('message_stop');
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(start + middle + end.slice(0, -last.length));
  });
  const baseUrl = upstream.baseUrl.replace(/\/v1$/, '');
  const providers = { up: { adapter: 'anthropic', baseUrl, accounts: [{ name: 'main', apiKey: 'k' }] } };
  const gateway = await startGateway({ providers });
  assert.equal(await (await gateway.post(path, body)).text(), start + middle + end);
  await gateway.stop();
  await upstream.close();
});

const PASS_THROUGH = { anthropic: messagesPassThrough, gemini: geminiPassThrough };

for (const { adapter, start, middle, end, usage } of RELAYED) {
  test(`${adapter}: wherever a stream is cut, the same bytes are relayed and the same is known of them`, () => {
    const whole = Buffer.from(start + middle + end);
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (places) => {
        const blocks = new EventBlocks();
        const scanner = PASS_THROUGH[adapter].streamScanner({ hideUsage: true });
        const relayed: Buffer[] = [];
        const ends = [...places.toSorted((a, b) => a - b), whole.length];
        for (const [index, to] of ends.entries()) {
          const events = blocks.push(whole.subarray(ends[index - 1] ?? 0, to));
          if (events) relayed.push(scanner.scan(events));
        }
        assert.equal(Buffer.concat(relayed).equals(whole), true);
        assert.deepEqual([scanner.usage?.input, scanner.usage?.output], [usage.input, usage.output]);
        assert.deepEqual(
          [scanner.finished, scanner.failure, scanner.outputEvents],
          [true, undefined, adapter === 'gemini' ? 3 : 2],
        );
      }),
      { numRuns: scale({ sample: 100, heavy: 20_000 }) },
    );
  });
}

test('gemini: of a JSON array that breaks off nothing is lost that came before', async () => {
  const part = (text: string) => chunk(`{"candidates":[{"content":{"parts":[{"text":"${text}"}]}}]}`);
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(part('a'));
    setTimeout(() => response.end(part('b') + part('c') + chunk('{"cand')), 30);
  });
  const baseUrl = upstream.baseUrl.slice(0, -'/v1'.length);
  const providers = { up: { adapter: 'gemini', baseUrl, accounts: [{ name: 'main', apiKey: 'sk-of-it' }] } };
  const gateway = await startGateway({ providers });
  try {
    const response = await gateway.post('/v1beta/models/up/m:streamGenerateContent', {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
    });
    const array = (await response.json()) as { candidates?: [{ content: { parts: [{ text: string }] } }] }[];
    assert.deepEqual(
      array.map(({ candidates }) => candidates?.[0].content.parts[0].text),
      ['a', 'b', 'c', undefined],
    );
    assert.ok('error' in (array[3] ?? {}));
  } finally {
    await gateway.stop();
    await upstream.close();
  }
});
