import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { Door } from '../../src/gateway/door.ts';
import { chatChunk } from '../support/raw-upstream.ts';
import { type VirtualExchange, VirtualGateway } from '../support/virtual-gateway.ts';

const KEY = 'sk-fl-key-of-silence-00000000000';

const provider = (adapter: string) => ({
  ...{ adapter, baseUrl: `http://${adapter}.test/v1`, accounts: [{ name: 'main', apiKey: 'k' }] },
});
const SETTINGS = {
  providers: { plain: provider('openai-compatible'), mistral: provider('mistral') },
  models: {
    long: {
      ...{ targets: ['plain/x', 'mistral/x'], retries: 1, continueStreams: true },
      timeouts: { firstByte: '100s', idle: '100s' },
    },
    patient: { targets: ['plain/x', 'mistral/x'], retries: 1, continueStreams: true, waitForRecovery: '9s' },
    second: { targets: ['mistral/x'], retries: 0 },
  },
  tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: KEY }] } },
};

const SIGN = ': keep-alive\n\n';

const DOORS: Record<string, Door> = {
  relayed: { dialect: chat, operation: 'generate', passThrough },
  translated: { dialect: completions, operation: 'generate', passThrough, completesText: true },
};

/** Its first attempt says a word and is gone at 15 s; what the second does is the test's. */
function setUp(
  door: Door,
  goOn: (exchange: VirtualExchange, at: (ms: number, run: () => void) => void) => void,
) {
  const world = new VirtualGateway(SETTINGS);
  const startMs = world.nowMs;
  const at = (ms: number, run: () => void) => world.events.push({ atMs: startMs + ms, run, atOnce: false });
  world.onExchange = (exchange) => {
    if (world.exchanges.length > 1) {
      goOn(exchange, at);
      return;
    }
    at(0, () => {
      exchange.head(200, 'text/event-stream');
      exchange.data(chatChunk('Hello'));
    });
    at(15_000, () => exchange.lose());
  };
  const said = door.completesText ? { prompt: 'Hi' } : { messages: [{ role: 'user', content: 'Hi' }] };
  const client = world.call(door, KEY, { model: 'long', stream: true, ...said });
  return { world, client, at };
}

for (const [what, door] of Object.entries(DOORS)) {
  test(`a stream that another attempt goes on with is kept open while that says nothing (${what})`, async () => {
    const { world, client, at } = setUp(door, (exchange) => {
      at(90_000, () => {
        exchange.head(200, 'text/event-stream');
        exchange.data(`${chatChunk('Hello you')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
        exchange.end();
      });
    });
    /** How many signs of life the client has by then. */
    const signs: [ms: number, count: number][] = [];
    const count = () => client.text().split(SIGN).length - 1;
    for (let ms = 19_000; ms < 90_000; ms += 10_000) at(ms, () => signs.push([ms, count()]));
    await world.playOut([true]);
    assert.equal(world.exchanges.length, 2);
    for (const [nth, [ms, seen]] of signs.entries()) {
      const before = signs[nth - 2]?.[1];
      if (before !== undefined) assert.ok(seen > before, `no sign of life in the 20 s up to ${ms} ms`);
    }
    assert.ok((signs.at(-1)?.[1] ?? 0) >= 6, JSON.stringify(signs));
    const words = [...client.text().matchAll(/"(?:content|text)":"([^"]+)"/g)].map(([, word]) => word);
    assert.equal(words.join(''), 'Hello you');
    assert.ok(client.isEnded());
    assert.equal(world.deadlines.size, 0);
  });

  test(`nothing is said any more to a client that left between two attempts (${what})`, async () => {
    const { world, client, at } = setUp(door, () => at(40_000, () => client.leave()));
    let told = '';
    at(45_000, () => {
      told = client.text();
    });
    at(90_000, () => undefined);
    await world.playOut([true]);
    assert.equal(client.text(), told);
    assert.equal(world.records[0]?.outcome, 'cancelled');
    assert.equal(world.deadlines.size, 0);
  });
}

for (const [what, door] of Object.entries(DOORS)) {
  test(`a stream is gone on with where a call had failed of late, though its model waits for places to be back (${what})`, async () => {
    const world = new VirtualGateway(SETTINGS);
    const said = door.completesText ? { prompt: 'Hi' } : { messages: [{ role: 'user', content: 'Hi' }] };
    world.onExchange = (exchange) => {
      exchange.head(503, 'application/json');
      exchange.end();
    };
    world.call(door, KEY, { model: 'second', ...said });
    await world.playOut([true]);
    world.nowMs += 1_000;
    world.onExchange = (exchange) => {
      exchange.head(200, 'text/event-stream');
      if (exchange.provider === 'plain') {
        exchange.data(chatChunk('Hello'));
        world.events.push({ atMs: world.nowMs + 10, run: () => exchange.lose(), atOnce: false });
        return;
      }
      exchange.data(`${chatChunk('Hello you')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
      exchange.end();
    };
    const client = world.call(door, KEY, { model: 'patient', stream: true, ...said });
    await world.playOut([true]);
    const words = [...client.text().matchAll(/"(?:content|text)":"([^"]+)"/g)].map(([, word]) => word);
    assert.equal(words.join(''), 'Hello you', client.text());
    assert.equal(world.records.at(-1)?.outcome, 'ok');
  });
}
