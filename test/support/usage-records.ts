import fc from 'fast-check';
import { ERROR_KINDS, type ErrorKind } from '../../src/conversation/gateway-error.ts';
import { NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import type { UsageRecord } from '../../src/usage/record.ts';

let made = 0;

/** A usage record like those of an ordinary call, with an id of its own. */
export function makeRecord(differences: Partial<UsageRecord> = {}): UsageRecord {
  made += 1;
  return {
    id: `call-${String(made).padStart(6, '0')}`,
    startedAt: Date.UTC(2026, 10, 23, 12),
    tenant: 'acme',
    key: 'app',
    dialect: 'chat',
    operation: 'generate',
    model: 'smart',
    target: 'openai/gpt-4.1-2025-04-14',
    stream: true,
    usage: { ...NO_USAGE, input: 100, output: 50 },
    costMicroUsd: null,
    outcome: 'ok',
    status: 200,
    latencyMs: 812.25,
    firstTokenMs: 201.5,
    attempts: [
      {
        target: 'openai/gpt-4.1-2025-04-14',
        account: 'main',
        startedAfterMs: 0.5,
        durationMs: 811,
        status: 200,
        outcome: 'ok',
      },
    ],
    ...differences,
  };
}

/** Objects like those of the code, which `deepEqual` tells from ones without a prototype. */
const PLAIN = { noNullPrototype: true };

const tokens = fc.integer({ min: 0, max: 1_000_000 });

export const anyUsage: fc.Arbitrary<Usage> = fc.record(
  {
    input: tokens,
    inputAudio: tokens,
    cacheRead: tokens,
    cacheWrite: tokens,
    cacheWrite1h: tokens,
    output: tokens,
    outputAudio: tokens,
    reasoning: tokens,
  },
  PLAIN,
);

/** With the tier that some are of. */
const anyServedUsage: fc.Arbitrary<Usage> = fc
  .tuple(anyUsage, fc.option(fc.constantFrom('priority', 'fast+us'), { nil: undefined }))
  .map(([usage, tier]) => (tier === undefined ? usage : { ...usage, tier }));

const outcome = fc.constantFrom<'ok' | ErrorKind>('ok', ...(Object.keys(ERROR_KINDS) as ErrorKind[]));
const durationMs = fc.double({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true });
/** As attempts are kept. */
const wholeMicrosecondsInMs = fc.integer({ min: 0, max: 1e9 }).map((microseconds) => microseconds / 1000);

/** Which prompt a call was of, and of some that an earlier answer answered it. */
const anyPrompted = fc.record(
  {
    prompt: fc.constantFrom('support/triage', 'support/triage@3', 'sum'),
    saved: fc.record(
      { tokens: fc.nat(), costMicroUsd: fc.option(fc.integer({ min: 0, max: 1e9 }).map((nth) => nth / 1e3)) },
      PLAIN,
    ),
  },
  { ...PLAIN, requiredKeys: ['prompt'] },
);

export const anyRollout: fc.Arbitrary<NonNullable<UsageRecord['rollout']>> = fc.record(
  {
    name: fc.constantFrom('smart-upgrade', 'other'),
    side: fc.constantFrom('stable', 'candidate'),
    flags: fc.constantFrom([], ['failed'], ['read', 'refused'], ['copied'], ['judged']),
    release: fc.integer({ min: 1, max: 12 }),
  },
  { ...PLAIN, requiredKeys: ['name', 'side', 'flags'] },
);

/** Records over a few days, tenants and models, so that groups and equal start times come up often. */
const anyPlainRecord: fc.Arbitrary<UsageRecord> = fc.record(
  {
    id: fc.uuid(),
    startedAt: fc.integer({ min: 0, max: 40 }).map((step) => Date.UTC(2026, 10, 20) + step * 3 * 3_600_000),
    tenant: fc.constantFrom('acme', 'beta', null),
    key: fc.constantFrom('app', 'batch', null),
    dialect: fc.constantFrom('chat', 'messages', 'gemini'),
    operation: fc.constantFrom('generate', 'embed'),
    model: fc.oneof(fc.constantFrom('smart', 'embed', null), fc.string()),
    target: fc.constantFrom('openai/gpt-4.1', 'echo/echo', null),
    stream: fc.boolean(),
    usage: fc.option(anyServedUsage),
    // In millionths, as the price book gives them.
    costMicroUsd: fc.option(fc.integer({ min: 0, max: 1e12 }).map((millionths) => millionths / 1e6)),
    outcome,
    status: fc.constantFrom(200, 400, 499, 502),
    latencyMs: durationMs,
    firstTokenMs: fc.option(durationMs),
    attempts: fc.array(
      fc
        .record(
          {
            target: fc.constant('openai/gpt-4.1'),
            account: fc.string(),
            startedAfterMs: wholeMicrosecondsInMs,
            durationMs: wholeMicrosecondsInMs,
            status: fc.option(fc.constantFrom(200, 500)),
            outcome: fc.oneof(outcome, fc.constant('lost' as const)),
            reason: fc.oneof(fc.constantFrom('first_byte_timeout', 'rate_limit_exceeded'), fc.string()),
            address: fc.constantFrom('http://10.0.0.7:8000', 'https://[fd00::7]:8443'),
            adapted: fc.dictionary(
              fc.string().filter((name) => name !== '__proto__'),
              fc.option(fc.string()),
              { minKeys: 1, noNullPrototype: true },
            ),
            dropped: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
            used: fc.record({ usage: anyServedUsage, costMicroUsd: fc.option(fc.nat()) }, PLAIN),
          },
          {
            ...PLAIN,
            requiredKeys: ['target', 'account', 'startedAfterMs', 'durationMs', 'status', 'outcome'],
          },
        )
        .map(({ used, ...attempt }) => ({ ...attempt, ...used })),
      { maxLength: 3 },
    ),
  },
  PLAIN,
);

/** The same, some of them of a prompt. */
export const anyRecord: fc.Arbitrary<UsageRecord> = fc
  .tuple(anyPlainRecord, fc.option(anyPrompted, { nil: undefined }))
  .map(([record, prompted]) => ({ ...record, ...prompted }));

/** Records with ids of their own. */
export function anyRecords(maxLength: number): fc.Arbitrary<UsageRecord[]> {
  return fc.uniqueArray(anyRecord, { selector: (record) => record.id, maxLength });
}
