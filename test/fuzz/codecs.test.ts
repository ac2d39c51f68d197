import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompletionCollector, completionEvents } from '../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../src/conversation/completion.ts';
import type { Conversation, DialectName } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { isObject } from '../../src/conversation/json.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { Dialect, StreamMessage, UpstreamDialect } from '../../src/dialects/dialect.ts';
import { geminiArray } from '../../src/dialects/gemini/json-array.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { scale } from '../support/scale.ts';
import { CROSSING_MODELS, DIALECT_NAMES, isSpokenByCallers } from '../wire/crossing.ts';
import { mutateJson } from './mutate-json.ts';
import { mutateStream } from './mutate-stream.ts';
import { Random } from './random.ts';
import { runSeeds } from './run-seeds.ts';
import { type Seeds, seedsOf } from './seeds.ts';

/** Codecs alone, for volume: whatever comes, they give values or the errors that they may throw, and nothing else. */
const RUNS = scale({ sample: 500, heavy: 100_000 });
/** The heavy size takes some minutes. */
const LONG = { timeout: 1_800_000 };
const SEEDS = new Map<DialectName, Seeds>(DIALECT_NAMES.map((name) => [name, seedsOf(name)]));
const CALLERS: Dialect[] = [
  ...DIALECT_NAMES.filter(isSpokenByCallers).map((name) => DIALECTS[name]),
  completions,
  geminiArray,
];

/** One type for all, which TypeScript cannot tell of a union of them. */
const TARGETS: Readonly<Record<DialectName, UpstreamDialect>> = DIALECTS;

function seeds(name: DialectName): Seeds {
  const found = SEEDS.get(name);
  assert.ok(found);
  return found;
}

/** What `make` gives, or nothing where it refuses as it may. */
function unlessRefused<T>(kinds: readonly GatewayError['kind'][], make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof GatewayError && kinds.includes(error.kind)) return undefined;
    throw error;
  }
}

test('mutated requests are understood or refused, and written for every provider or refused', LONG, () => {
  runSeeds(RUNS, (seed) => {
    const random = new Random(seed);
    const name = random.pick(DIALECT_NAMES.filter(isSpokenByCallers));
    const body = mutateJson(random, random.pick(seeds(name).requests));
    if (!isObject(body)) return;
    const address = name === 'gemini' ? { model: 'm', stream: random.chance(0.5) } : {};
    const decoded = unlessRefused(['invalid_request'], () => DIALECTS[name].decodeRequest(body, address));
    if (!decoded) return;
    writeForEveryone(decoded);
  });
});

function writeForEveryone(conversation: Conversation): void {
  for (const target of DIALECT_NAMES) {
    const written = unlessRefused(['invalid_request'], () =>
      TARGETS[target].encodeRequest(conversation, CROSSING_MODELS[target]),
    );
    if (!written) continue;
    assert.ok(isObject(JSON.parse(JSON.stringify(written.body))));
    assert.ok(written.dropped.every((name) => typeof name === 'string'));
  }
}

test('mutated answers are understood or refused, and told to every client', LONG, () => {
  runSeeds(RUNS, (seed) => {
    const random = new Random(seed);
    const name = random.pick(DIALECT_NAMES);
    const body = mutateJson(random, random.pick(seeds(name).answers));
    const completion = unlessRefused(ANSWER_FAILURES, () => DIALECTS[name].decodeResponse(body));
    if (!completion) return;
    tellEveryone(completion);
  });
});

/** Errors that stand in an answer of status 200 are what they say they are. */
const ANSWER_FAILURES: readonly GatewayError['kind'][] = [
  'upstream_unavailable',
  'upstream_rejected',
  'upstream_rate_limited',
  'upstream_timeout',
  'overloaded',
];

function tellEveryone(completion: Completion): void {
  for (const caller of CALLERS) {
    assert.ok(JSON.stringify(caller.encodeResponse(completion)), caller.name);
    const encoder = caller.streamEncoder({ includeUsage: true });
    for (const event of completionEvents(completion)) encoder.push(event);
  }
}

test('mutated streams are read to an end or an error, and told to every client', LONG, () => {
  runSeeds(RUNS, (seed) => {
    const random = new Random(seed);
    const name = random.pick(DIALECT_NAMES);
    const stream = mutateStream(random, random.pick(seeds(name).streams));
    const events = read(name, stream);
    const last = events.at(-1)?.type;
    assert.ok(last === 'end' || last === 'error', `the last event is ${last}`);
    // Events out of place make it throw.
    const collector = new CompletionCollector();
    for (const event of events) collector.push(event);
    for (const caller of CALLERS) {
      const encoder = caller.streamEncoder({ includeUsage: true });
      const text = events.map((event) => encoder.push(event)).join('');
      assert.notEqual(text, '', caller.name);
    }
  });
});

function read(name: DialectName, stream: readonly StreamMessage[]): CompletionEvent[] {
  const decoder = DIALECTS[name].streamDecoder();
  const events: CompletionEvent[] = [];
  for (const message of stream) {
    events.push(...decoder.push(message));
    // The gateway reads no further.
    const last = events.at(-1)?.type;
    if (last === 'end' || last === 'error') return events;
  }
  return [...events, ...decoder.end()];
}
