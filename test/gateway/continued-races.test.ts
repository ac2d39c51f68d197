import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject, tryParseJson } from '../../src/conversation/json.ts';
import { addUsage, NO_USAGE } from '../../src/conversation/usage.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { Door } from '../../src/gateway/door.ts';
import { chatChunk } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { type VirtualExchange, VirtualGateway } from '../support/virtual-gateway.ts';

const KEY = 'sk-fl-key-of-races-0000000000000';
/** Relayed as it is, and translated. */
const DOORS: readonly Door[] = [
  { dialect: chat, operation: 'generate', passThrough },
  { dialect: completions, operation: 'generate', passThrough, completesText: true },
];

const provider = (adapter: string) => ({
  ...{ adapter, baseUrl: `http://${adapter}.test/v1`, accounts: [{ name: 'main', apiKey: 'k' }] },
});
const LONG = { targets: ['plain/x', 'mistral/x', 'moonshot/x'], retries: 4, continueStreams: true };
const HEDGING = { percentile: 50, maxShare: 1 };
const SETTINGS = {
  // The first can only begin answers; the second repeats what it is given, the third does not.
  providers: {
    plain: provider('openai-compatible'),
    mistral: provider('mistral'),
    moonshot: provider('moonshot'),
  },
  models: { long: LONG, hedged: { ...LONG, hedging: HEDGING } },
  tenants: {
    acme: { models: ['*'], limits: { concurrentCalls: 5 }, keys: [{ name: 'app', secret: KEY }] },
  },
};

/** What each model answers, if only it is let to. */
const ANSWER = 'ha ha  ha\n\nha haha ha \n ha.';

interface Script {
  /** Of what is left to be said, the characters before each cut come in one piece. */
  cuts: number[];
  gaps: number[];
  /** After so many pieces it ends in its way. */
  pieces: number;
  /** `error`: with one more piece in the same packet. `stop`: says why it ended, but not that. */
  end: 'finish' | 'stop' | 'cut' | 'lose' | 'hang' | 'error' | 'refuse' | 'fail';
  atOnce: boolean;
}

const anyScript: fc.Arbitrary<Script> = fc.record({
  cuts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 8, maxLength: 8 }),
  gaps: fc.array(fc.constantFrom(0, 10, 5_000, 20_000), { minLength: 3, maxLength: 3 }),
  pieces: fc.nat(8),
  end: fc.constantFrom('finish', 'finish', 'stop', 'cut', 'lose', 'lose', 'hang', 'error', 'refuse', 'fail'),
  atOnce: fc.boolean(),
});

/** What a provider is given of the answer, and what it says then. */
function restOf({ provider, body }: VirtualExchange): string {
  const request = tryParseJson(body);
  const messages = isObject(request) && Array.isArray(request['messages']) ? request['messages'] : [];
  const last = messages.at(-1);
  if (!isObject(last) || last['role'] !== 'assistant') return ANSWER;
  const given = String(last['content']);
  assert.ok(ANSWER.startsWith(given) && given === given.trimEnd(), given);
  assert.equal(last[provider === 'mistral' ? 'prefix' : 'partial'], true);
  return provider === 'mistral' ? ANSWER : ANSWER.slice(given.length);
}

function* stepsOf(exchange: VirtualExchange, { cuts, pieces, end }: Script): Iterable<() => void> {
  if (end === 'refuse' || end === 'fail') {
    yield () => {
      exchange.head(end === 'fail' ? 503 : 400, 'application/json');
      exchange.data('{"error":{"message":"Not so"}}');
      exchange.end();
    };
    return;
  }
  yield () => exchange.head(200, 'text/event-stream');
  let rest = restOf(exchange);
  for (let nth = 0; rest !== '' && (end === 'finish' || end === 'stop' || nth < pieces); nth += 1) {
    const size = cuts[nth % cuts.length] ?? 1;
    const piece = rest.slice(0, size);
    rest = rest.slice(size);
    yield () => exchange.data(chatChunk(piece));
  }
  yield () => {
    if (end === 'hang') return;
    if (end === 'lose') return exchange.lose();
    if (end === 'error') {
      exchange.data(`${chatChunk(rest.slice(0, 3))}data: {"error":{"message":"Not any more"}}\n\n`);
    }
    if (end === 'stop') {
      exchange.data(chatChunk('', 'stop'));
      return exchange.lose();
    }
    if (end === 'finish') exchange.data(`${chatChunk('', 'stop')}data: [DONE]\n\n`);
    exchange.end();
  };
}

const anyRun = fc.record({
  model: fc.constantFrom('long', 'long', 'hedged'),
  door: fc.constantFrom(...DOORS),
  scripts: fc.array(anyScript, { minLength: 6, maxLength: 6 }),
  leavesMs: fc.option(fc.constantFrom(0, 10, 30, 5_010, 25_000), { freq: 5 }),
  oursFirst: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
});

/** The text that a client got, of one stream with one head. */
function readText(raw: string): { text: string; body: string } {
  assert.equal(raw.split('HTTP/1.1 ').length, 2, raw);
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
  const words = [...body.matchAll(/"(?:content|text)":("(?:[^"\\]|\\.)*")/g)];
  return { text: words.map(([, word = '""']) => JSON.parse(word) as string).join(''), body };
}

test('wherever answers break off, and in whatever order, their clients have each byte once, and all is accounted', async () => {
  const seen = { relayed: 0, translated: 0, hedged: 0, twice: 0, whole: 0, left: 0, brokenOff: 0 };
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ model, door, scripts, leavesMs, oursFirst }) => {
      const world = new VirtualGateway(SETTINGS);
      const { exchanges, records, places, gateway, deadlines, quotas } = world;
      const hedging = world.hedgings.find('hedged', HEDGING);
      for (let nth = 0; nth < 20; nth += 1) hedging.note(true, 6_000);
      world.onExchange = (exchange) => {
        const script = scripts[exchanges.length - 1];
        assert.ok(script, 'no more attempts than are allowed');
        let atMs = world.nowMs;
        let nth = 0;
        for (const run of stepsOf(exchange, script)) {
          atMs += script.gaps[nth % script.gaps.length] ?? 0;
          nth += 1;
          world.events.push({ atMs, run, atOnce: script.atOnce });
        }
      };
      const asked = { messages: [{ role: 'user', content: 'Laugh.' }], prompt: 'Laugh.' };
      const { messages, prompt } = asked;
      const what = door.dialect === completions ? { prompt } : { messages };
      const client = world.call(door, KEY, { model, stream: true, ...what });
      if (leavesMs !== null)
        world.events.push({ atMs: world.nowMs + leavesMs, run: () => client.leave(), atOnce: false });
      await world.playOut(oursFirst);
      assert.equal(records.length, 1, 'a call has one record');
      const [record] = records;
      assert.ok(record);
      // Nothing is left of it.
      assert.ok(exchanges.every(({ isOver }) => isOver));
      assert.deepEqual([deadlines.size, gateway.calls.size, places.running], [0, 0, 0]);
      assert.deepEqual(world.awaited(model), []);
      assert.equal(quotas.settled.length, 1);
      assert.deepEqual(
        record.attempts.map(({ target }) => target),
        exchanges.map(({ provider }) => `${provider}/x`),
      );
      const isLeft = record.outcome === 'cancelled';
      const isWhole = record.outcome === 'ok';
      const raw = client.text();
      if (raw !== '' && record.status !== 499 && record.status >= 400) {
        assert.match(readText(raw).body, /"error"/);
      } else if (raw !== '') {
        const { text, body } = readText(raw);
        assert.ok(ANSWER.startsWith(text), JSON.stringify([text, body]));
        if (isWhole) assert.equal(text, ANSWER);
        if (isWhole) assert.match(body, /data: \[DONE\]\n\n/);
        else if (!isLeft) assert.match(body, /"error":/);
        assert.ok(body.split('"finish_reason":"stop"').length <= 2, body);
      }
      if (!isLeft) assert.ok(client.isEnded());
      // Each attempt has what it used itself, the last one in the record.
      const aside = record.attempts.reduce(
        (sum, { usage }) => (usage ? addUsage(sum, usage) : sum),
        NO_USAGE,
      );
      const used = record.usage ?? NO_USAGE;
      assert.ok(used.input >= aside.input && used.output >= aside.output);
      const answering = record.attempts.find(({ outcome }) => outcome === 'ok');
      assert.deepEqual([answering !== undefined, answering?.usage], [isWhole, undefined]);
      const begun = exchanges.filter(({ body }) => /"(?:prefix|partial)":true/.test(body)).length;
      if (begun > 0) seen[door.completesText ? 'translated' : 'relayed'] += 1;
      seen.hedged += begun > 0 && model === 'hedged' ? 1 : 0;
      seen.twice += begun > 1 ? 1 : 0;
      seen.whole += begun > 0 && isWhole ? 1 : 0;
      seen.left += begun > 0 && isLeft ? 1 : 0;
      seen.brokenOff += begun > 0 && !isWhole && !isLeft ? 1 : 0;
    }),
    { numRuns: scale({ sample: 200, heavy: 20_000 }) },
  );
  // The runs were about it.
  assert.ok(
    Object.values(seen).every((count) => count > 0),
    JSON.stringify(seen),
  );
});
