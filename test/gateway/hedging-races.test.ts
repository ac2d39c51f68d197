import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addUsage, NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import type { Door } from '../../src/gateway/door.ts';
import { estimateInput } from '../../src/gateway/estimate-usage.ts';
import type { AttemptRecord, UsageRecord } from '../../src/usage/record.ts';
import { chatChunk } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { type VirtualExchange, VirtualGateway } from '../support/virtual-gateway.ts';

const KEY = 'sk-fl-key-of-races-0000000000000';
const DOOR: Door = { dialect: chat, operation: 'generate', passThrough };
const HEDGING = { percentile: 50, maxShare: 1 };
/** After so long a second attempt is made beside the first. */
const SLOW_MS = 50;

/** What each provider says that it used: no sum of some is that of others. A token costs as many millionths as `price`, in or out. */
const SAID = {
  a: { input: 10, output: 7, price: 1 },
  b: { input: 200, output: 70, price: 3 },
  c: { input: 3_000, output: 700, price: 5 },
} as const;
type Provider = keyof typeof SAID;

const SETTINGS = {
  providers: Object.fromEntries(
    Object.keys(SAID).map((name) => [
      name,
      {
        adapter: 'openai-compatible',
        baseUrl: `http://${name}.test/v1`,
        accounts: [{ name: 'main', apiKey: 'k' }],
      },
    ]),
  ),
  models: { race: { targets: ['a/x', 'b/x', 'c/x'], retries: 2, hedging: HEDGING } },
  prices: Object.fromEntries(
    Object.entries(SAID).map(([name, { price }]) => [`${name}/*`, { input: price, output: price }]),
  ),
  tenants: {
    acme: {
      models: ['*'],
      limits: {
        concurrentCalls: 5,
        budgets: [
          { tokens: 1e9, per: 'day' },
          { usd: 1e6, per: 'day' },
        ],
      },
      keys: [{ name: 'app', secret: KEY }],
    },
  },
};

/** How a provider answers: after so long each, counted from what was before. */
interface Script {
  /** `hang`: never. */
  start: 'answer' | 'fail' | 'refuse' | 'lose' | 'hang';
  gaps: number[];
  /** `tell`: says what it used, and is lost. */
  end: 'finish' | 'cut' | 'lose' | 'tell' | 'hang';
  /** The answer is there at once with what is before it: nothing else of this process runs in between. */
  atOnce: boolean;
}

// So that much falls on one moment, or on that at which a second attempt is made.
const anyGap = fc.constantFrom(0, 10, 20, 25, SLOW_MS, 70);
const anyScript: fc.Arbitrary<Script> = fc.record({
  start: fc.constantFrom('answer', 'answer', 'answer', 'fail', 'refuse', 'lose', 'hang'),
  // Up to the head, to the first chunk, to each word, to the end.
  gaps: fc.array(anyGap, { minLength: 3, maxLength: 7 }),
  end: fc.constantFrom('finish', 'finish', 'finish', 'cut', 'lose', 'tell', 'hang'),
  atOnce: fc.boolean(),
});

const wordsOf = (provider: string, { gaps }: Script): string[] =>
  gaps.slice(3).map((_, nth) => `${provider}${nth}`);

function usedOf(provider: Provider): Usage {
  const { input, output } = SAID[provider];
  return { ...NO_USAGE, input, output };
}

function usageChunk(provider: Provider): string {
  const { input, output } = SAID[provider];
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

function wholeAnswer(provider: Provider, words: readonly string[]): string {
  const { input, output } = SAID[provider];
  return JSON.stringify({
    ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
    choices: [{ index: 0, message: { role: 'assistant', content: words.join(' ') }, finish_reason: 'stop' }],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  });
}

/** What an exchange does by its script, one after the other. */
function* stepsOf(exchange: VirtualExchange, script: Script, stream: boolean): Iterable<() => void> {
  const provider = exchange.provider as Provider;
  const words = wordsOf(provider, script);
  if (script.start === 'hang') return;
  if (script.start === 'lose') return void (yield () => exchange.lose());
  if (script.start !== 'answer') {
    yield () => {
      exchange.head(script.start === 'fail' ? 503 : 400, 'application/json');
      exchange.data('{"error":{"message":"Not so"}}');
      exchange.end();
    };
    return;
  }
  const pieces = stream
    ? ['', ...words].map((word) => chatChunk(word))
    : cut(wholeAnswer(provider, words), words.length + 2);
  const last = stream
    ? `${chatChunk('', 'stop')}${usageChunk(provider)}data: [DONE]\n\n`
    : (pieces.pop() ?? '');
  yield () => exchange.head(200, stream ? 'text/event-stream' : 'application/json');
  for (const piece of pieces) yield () => exchange.data(piece);
  yield () => {
    if (script.end === 'hang') return;
    if (script.end === 'finish') exchange.data(last);
    else if (script.end === 'tell' && stream) exchange.data(usageChunk(provider));
    if (script.end === 'finish' || script.end === 'cut') exchange.end();
    else exchange.lose();
  };
}

function cut(text: string, count: number): string[] {
  const size = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, nth) => text.slice(nth * size, (nth + 1) * size));
}

interface Race {
  stream: boolean;
  /** Of the first attempt, the second, … as they are sent. */
  scripts: Script[];
  /** When the client leaves. */
  leavesMs: number | null;
  /** Of what falls on one moment: whether what is ours goes first. */
  oursFirst: boolean[];
}

const anyRace: fc.Arbitrary<Race> = fc.record({
  stream: fc.boolean(),
  scripts: fc.array(anyScript, { minLength: 5, maxLength: 5 }),
  leavesMs: fc.option(fc.constantFrom(0, 20, SLOW_MS, 60, 75, 120, 200), { freq: 4 }),
  oursFirst: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
});

function askOf(stream: boolean): object {
  const messages = [{ role: 'user', content: 'Who is first?' }];
  return { model: 'race', messages, stream, max_tokens: 1_000 };
}

async function run({ stream, scripts, leavesMs, oursFirst }: Race) {
  const world = new VirtualGateway(SETTINGS);
  const hedging = world.hedgings.find('race', HEDGING);
  for (let seen = 0; seen < 20; seen += 1) hedging.note(stream, SLOW_MS);
  const scriptOf = new Map<VirtualExchange, Script>();
  world.onExchange = (exchange) => {
    const script = scripts[scriptOf.size];
    assert.ok(script, 'no more attempts than are allowed');
    scriptOf.set(exchange, script);
    let atMs = world.nowMs;
    let nth = 0;
    for (const run of stepsOf(exchange, script, stream)) {
      atMs += script.gaps[nth] ?? 0;
      nth += 1;
      world.events.push({ atMs, run, atOnce: script.atOnce });
    }
  };
  const client = world.call(DOOR, KEY, askOf(stream));
  if (leavesMs !== null)
    world.events.push({ atMs: world.nowMs + leavesMs, run: () => client.leave(), atOnce: false });
  await world.playOut(oursFirst);
  return { world, client, scriptOf };
}

/** The words that a client got, and whose they are. */
function readAnswer(text: string, stream: boolean): { words: string[]; body: string } {
  const heads = text.split('HTTP/1.1 ').length - 1;
  assert.equal(heads, 1, text);
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  const words = stream
    ? [...body.matchAll(/"content":"(\w+)"/g)].map(([, word = '']) => word)
    : (/"content":"([\w ]*)"/.exec(body)?.[1] ?? '').split(' ').filter((word) => word !== '');
  return { words, body };
}

const isProviders = (name: string): name is Provider => name in SAID;
const providerOf = ({ target }: Pick<AttemptRecord, 'target'>): Provider => {
  const [name = ''] = target.split('/');
  assert.ok(isProviders(name));
  return name;
};
const tokensOf = ({ input, output }: Usage): number => input + output;

function minus(whole: Usage, part: Usage): Usage {
  return { ...NO_USAGE, input: whole.input - part.input, output: whole.output - part.output };
}

/** The input that an attempt is charged: by its provider's word, or else an estimate, where it was at work or had begun to answer. */
function chargedInput(attempt: AttemptRecord, script: Script, stream: boolean, estimated: number): number {
  const provider = providerOf(attempt);
  if (attempt.outcome === 'ok') return SAID[provider].input;
  if (attempt.outcome === 'lost' || attempt.outcome === 'cancelled') return estimated;
  if (!stream || script.start !== 'answer') return 0;
  if (script.end === 'tell') return SAID[provider].input;
  return wordsOf(provider, script).length > 0 ? estimated : 0;
}

/** That each attempt is charged once, with what it used at most, and that the record is the sum. */
function checkCharges(
  record: UsageRecord,
  exchanges: VirtualExchange[],
  scriptOf: Map<VirtualExchange, Script>,
): void {
  const input = estimateInput(JSON.stringify(askOf(record.stream)).length);
  let aside = NO_USAGE;
  let asideCost = 0;
  let charged = 0;
  for (const [nth, attempt] of record.attempts.entries()) {
    const provider = providerOf(attempt);
    const exchange = exchanges[nth];
    const script = exchange && scriptOf.get(exchange);
    assert.ok(script);
    const ownInput = chargedInput(attempt, script, record.stream, input);
    charged += ownInput;
    if (!attempt.usage) continue;
    assert.notEqual(attempt.outcome, 'ok', 'what answers is charged by the record');
    assert.equal(attempt.usage.input, ownInput);
    // One for each event, that of the role included.
    const most = attempt.usage.estimated ? wordsOf(provider, script).length + 1 : SAID[provider].output;
    assert.ok(attempt.usage.output <= most);
    aside = addUsage(aside, attempt.usage);
    assert.equal(attempt.costMicroUsd, tokensOf(attempt.usage) * SAID[provider].price);
    asideCost += attempt.costMicroUsd ?? 0;
  }
  const used = record.usage ?? NO_USAGE;
  const own = minus(used, aside);
  const answering = record.attempts.filter(({ outcome }) => outcome === 'ok');
  assert.equal(answering.length, record.outcome === 'ok' ? 1 : 0);
  const [answered] = answering;
  const said = answered ? usedOf(providerOf(answered)) : NO_USAGE;
  assert.equal(used.input, charged, JSON.stringify(record));
  if (answered) {
    assert.deepEqual(own, said);
    assert.equal(record.target, answered.target);
  } else {
    const [last] = record.attempts.filter(({ usage, target }) => !usage && target === record.target);
    assert.ok(own.output === 0 || last, 'what is not set aside is that of the attempt that ended the call');
  }
  if (record.costMicroUsd !== null && record.target !== null) {
    const { price } = SAID[providerOf({ target: record.target })];
    assert.equal(record.costMicroUsd, asideCost + tokensOf(own) * price);
  }
}

test('whatever comes first, one answer is given, whatever loses is ended and accounted, and nothing is charged twice', async () => {
  const seen = { answered: 0, lost: 0, secondWon: 0, left: 0, failed: 0 };
  await fc.assert(
    fc.asyncProperty(anyRace, async (race) => {
      const { world, client, scriptOf } = await run(race);
      const { records, exchanges, quotas, places, deadlines, gateway } = world;
      assert.equal(records.length, 1, 'a call has one record');
      const [record] = records;
      assert.ok(record);
      // Nothing is left of it.
      assert.ok(exchanges.every(({ isOver }) => isOver));
      assert.deepEqual([deadlines.size, gateway.calls.size, places.running], [0, 0, 0]);
      assert.deepEqual(world.awaited('race'), []);
      // Each request is an attempt, and has an end.
      assert.deepEqual(
        record.attempts.map(({ target }) => target.split('/')[0]),
        exchanges.map(({ provider }) => provider),
      );
      for (const [nth, { outcome }] of record.attempts.entries())
        if (outcome === 'lost') assert.ok(exchanges[nth]?.isAborted, 'what lost is broken off');
      assert.equal(quotas.settled.length, 1);
      assert.equal(quotas.settled[0]?.used.tokens, record.usage ? tokensOf(record.usage) : 0);
      checkCharges(record, exchanges, scriptOf);
      // One of them has answered.
      const isLeft = record.outcome === 'cancelled';
      const text = client.text();
      if (!isLeft || text !== '') {
        const { words, body } = readAnswer(text, race.stream);
        const from = words[0]?.[0];
        assert.ok(
          words.every((word, nth) => word === `${from}${nth}`),
          body,
        );
        if (record.outcome === 'ok') {
          const exchange = exchanges.find(({ provider }) => `${provider}/x` === record.target);
          const script = exchange && scriptOf.get(exchange);
          assert.deepEqual(words, script && exchange && wordsOf(exchange.provider, script));
        }
        if (race.stream && !isLeft && record.status === 200)
          assert.match(body, record.outcome === 'ok' ? /data: \[DONE\]\n\n/ : /"error":/);
      }
      if (!isLeft) assert.ok(client.isEnded());
      seen.answered += record.outcome === 'ok' ? 1 : 0;
      seen.left += isLeft ? 1 : 0;
      seen.failed += record.outcome !== 'ok' && !isLeft ? 1 : 0;
      seen.lost += record.attempts.some(({ outcome }) => outcome === 'lost') ? 1 : 0;
      seen.secondWon += record.attempts[0]?.outcome === 'lost' ? 1 : 0;
    }),
    { numRuns: scale({ sample: 250, heavy: 20_000 }) },
  );
  // The races were ones.
  assert.ok(
    Object.values(seen).every((count) => count > 0),
    JSON.stringify(seen),
  );
});

/** The words that a client has of a race in which the first place sends its role and no more, and the second its words after so long. */
async function raceWithRole(secondAfterMs: number, firstAfterMs: number | undefined) {
  const world = new VirtualGateway(SETTINGS);
  const hedging = world.hedgings.find('race', HEDGING);
  for (let seen = 0; seen < 20; seen += 1) hedging.note(true, SLOW_MS);
  const at = (afterMs: number, run: () => void) =>
    world.events.push({ atMs: world.nowMs + afterMs, run, atOnce: false });
  world.onExchange = (exchange) => {
    const isFirst = world.exchanges.length === 1;
    const afterMs = isFirst ? firstAfterMs : secondAfterMs;
    at(0, () => exchange.head(200, 'text/event-stream'));
    at(0, () => exchange.data(chatChunk('').replace('"content":""', '"role":"assistant","content":""')));
    if (afterMs === undefined) return;
    at(afterMs, () => exchange.data(chatChunk(isFirst ? 'a0' : 'b0')));
    at(afterMs, () => exchange.data(`${chatChunk('', 'stop')}data: [DONE]\n\n`));
    at(afterMs, () => exchange.end());
  };
  const client = world.call(DOOR, KEY, askOf(true));
  await world.playOut([true]);
  const outcomes = world.records[0]?.attempts.map(({ outcome }) => outcome);
  return { ...readAnswer(client.text(), true), outcomes };
}

test('a role is no output: of two that have sent no more, who gives words first has the call, also after ten seconds', async () => {
  for (const secondAfterMs of [5_000, 12_000, 30_000]) {
    const { words, body, outcomes } = await raceWithRole(secondAfterMs, undefined);
    assert.deepEqual([words, outcomes], [['b0'], ['lost', 'ok']]);
    assert.equal(body.split('"role"').length, 2, body);
  }
  const { words, outcomes } = await raceWithRole(30_000, 20_000);
  assert.deepEqual([words, outcomes], [['a0'], ['ok', 'lost']]);
});
