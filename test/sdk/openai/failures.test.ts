import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  APIError,
  APIUserAbortError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import type { UsageRecord } from '../../../src/usage/record.ts';
import { readmitCredentials } from '../../support/admin.ts';
import type { LoggedRequest } from '../../support/fake-provider.ts';
import { DIFFERENCES } from '../differences.ts';
import { startWorld, type Upstream } from '../support.ts';
import { describe, WAYS, type Way } from './answers.ts';

/** For each kind of provider a model that has another one behind it. */
const BACKED = {
  openai: { targets: ['openai/gpt-4.1', 'compatible/gpt-4.1'] },
  anthropic: { targets: ['anthropic/claude-sonnet-4-5', 'compatible/gpt-4.1'] },
  gemini: { targets: ['gemini/gemini-2.5-flash', 'compatible/gpt-4.1'] },
};
const world = await startWorld({}, BACKED);
const { client } = world;

/** What the usage records must say in the end, by the id of the call. */
const accounts = new Map<string, (record: UsageRecord) => void>();

interface Failed {
  /** What had come before. */
  text: string;
  error: unknown;
  callId: string;
}

/** Asks, and gives the text that came and the error that was raised. */
async function fail(model: string, content: string, way: Way): Promise<Failed> {
  const params = { model, messages: [{ role: 'user' as const, content }] };
  const failed: Failed = { text: '', error: undefined, callId: '' };
  try {
    if (way === 'whole') {
      const { data, request_id: id } = await client.chat.completions.create(params).withResponse();
      failed.callId = id ?? '';
      failed.text = describe(data).answer.content ?? '';
    } else {
      const asked = client.chat.completions.create({ ...params, stream: true });
      const { data, request_id: id } = await asked.withResponse();
      failed.callId = id ?? '';
      for await (const chunk of data) failed.text += chunk.choices[0]?.delta.content ?? '';
    }
  } catch (error) {
    failed.error = error;
    if (error instanceof APIError && failed.callId === '') failed.callId = error.requestID ?? '';
  }
  return failed;
}

/** What the record of a call must say. */
function account({ callId }: Failed, check: (record: UsageRecord) => void): void {
  assert.notEqual(callId, '');
  accounts.set(callId, check);
}

interface Failure {
  script: string;
  raised: new (...args: never[]) => APIError;
  status: number;
  outcome: string;
  code?: string;
  retryAfter?: string;
}

/** Before anything of an answer is there: a status, in both ways, so that the SDK raises its own typed error. */
const FAILURES: Failure[] = [
  { script: 'fail 400', raised: BadRequestError, status: 400, outcome: 'upstream_rejected' },
  { script: 'fail 400 context', raised: BadRequestError, status: 400, outcome: 'upstream_rejected' },
  { script: 'fail 404', raised: NotFoundError, status: 404, outcome: 'upstream_rejected' },
  { script: 'fail 413', raised: APIError, status: 413, outcome: 'upstream_rejected' },
  {
    script: 'fail 429',
    raised: RateLimitError,
    status: 429,
    outcome: 'upstream_rate_limited',
    retryAfter: '1',
  },
  ...Object.entries({
    'fail 401': 'upstream_credentials_rejected',
    'fail 403': 'upstream_permission_denied',
  }).map(([script, code]) => ({
    script,
    raised: InternalServerError,
    status: 502,
    outcome: 'upstream_unavailable',
    code,
  })),
  ...['fail 500', 'fail 503', 'fail 529', 'html 200', 'html 502'].map((script) => ({
    script,
    raised: InternalServerError,
    status: 502,
    outcome: 'upstream_unavailable',
  })),
  { script: 'fail 504', raised: InternalServerError, status: 504, outcome: 'upstream_timeout' },
];

for (const { script, raised, status, outcome, code, retryAfter } of FAILURES) {
  world.each(`'${script}' of a provider is a ${status} to the client`, async ({ model }) => {
    for (const way of WAYS) {
      const failed = await fail(model, `${script}\nHi`, way);
      const { text, error } = failed;
      if (code === 'upstream_credentials_rejected') await readmitCredentials(world.url);
      assert.equal(text, '');
      assert.ok(error instanceof raised, String(error));
      assert.equal(error.status, status);
      assert.equal(error.headers?.get('retry-after') ?? undefined, retryAfter);
      if (code !== undefined) assert.equal(error.code, code);
      account(failed, (record) => {
        assert.partialDeepStrictEqual(record, { outcome, status, usage: null, stream: way === 'streamed' });
      });
    }
  });
}

for (const script of ['truncated json', 'break mid-stream']) {
  world.each(`'${script}' of a whole answer is a 502`, async ({ model }) => {
    const failed = await fail(model, `${script}\nHi`, 'whole');
    const { error } = failed;
    assert.ok(error instanceof InternalServerError, String(error));
    assert.equal(error.status, 502);
    account(failed, ({ outcome }) => assert.equal(outcome, 'upstream_unavailable'));
  });
}

for (const script of ['error at start', 'empty answer']) {
  world.each(`'${script}' before any output of a stream is a 502`, async ({ model }) => {
    const failed = await fail(model, `${script}\nHi`, 'streamed');
    const { text, error } = failed;
    assert.equal(text, '');
    assert.ok(error instanceof InternalServerError, String(error));
    assert.equal(error.status, 502);
    account(failed, ({ outcome }) => assert.equal(outcome, 'upstream_unavailable'));
  });
}

for (const script of ['break mid-stream', 'error mid-stream', 'truncated json', 'close early']) {
  world.each(`'${script}' in the middle of a stream raises, after what had come`, async ({ model }) => {
    const failed = await fail(model, `${script}\nslow 1 ms per chunk\nlong 20`, 'streamed');
    const { text, error } = failed;
    assert.ok(error instanceof APIError, String(error));
    assert.equal(error.status, undefined);
    assert.match(text, /^word1 word2/);
    account(failed, ({ outcome, status, usage }) => {
      assert.deepEqual([outcome, status], ['upstream_unavailable', 200]);
      // What was generated is accounted, if need be by counting the pieces that came.
      const words = text.split(' ').length;
      const output = usage?.output ?? 0;
      assert.ok(output >= words && output <= words + 2, `${output} tokens for ${words} words`);
    });
  });
}

world.each(
  'a stream that lacks only its last event is whole where its end was told',
  async ({ model, name }) => {
    const failed = await fail(model, 'close without done\nlong 3', 'streamed');
    assert.equal(failed.text, 'word1 word2 word3');
    const isWhole = DIFFERENCES.endsBeforeLastEvent[name];
    assert.equal(failed.error instanceof APIError, !isWhole);
    account(failed, ({ outcome }) => assert.equal(outcome, isWhole ? 'ok' : 'upstream_unavailable'));
  },
);

/** What other scripts did to a lane may have it passed over: an answer from there ends that. */
async function readmitLane(model: string): Promise<void> {
  const asked = await fail(model, 'Hi', 'whole');
  assert.equal(asked.error, undefined);
  account(asked, ({ outcome }) => assert.equal(outcome, 'ok'));
}

world.each('what fails before any output fails over, and nobody sees it', async ({ name, model, fake }) => {
  for (const way of WAYS) {
    const scripts = ['fail 529', 'fail 429', 'html 200', ...(way === 'streamed' ? ['error at start'] : [])];
    for (const script of scripts) {
      await readmitLane(model);
      fake.setBehaviour(script, 1);
      const failed = await fail(name, 'Hi', way);
      assert.deepEqual([failed.text, failed.error], ['Echo: Hi', undefined]);
      account(failed, ({ outcome, attempts }) => {
        assert.deepEqual([outcome, attempts.length], ['ok', 2]);
      });
    }
  }
});

/** The newest request, once the fake has noticed that its client is gone. Nothing else would ever end it. */
async function waitForAbort({ fake }: Upstream): Promise<LoggedRequest> {
  for (;;) {
    const last = fake.requests.at(-1);
    if (last?.aborted) return last;
    await sleep(2);
  }
}

for (const way of WAYS) {
  for (const script of ['hang before headers', 'hang mid-stream']) {
    world.each(`a client that aborts stops the provider: '${script}', ${way}`, async (upstream) => {
      const { fake, model } = upstream;
      const leave = new AbortController();
      const before = fake.requests.length;
      const params = { model, messages: [{ role: 'user' as const, content: `${script}\nlong 4` }] };
      const asked =
        way === 'whole'
          ? client.chat.completions.create(params, { signal: leave.signal })
          : client.chat.completions.create({ ...params, stream: true }, { signal: leave.signal });
      const raised =
        way === 'streamed' && script === 'hang mid-stream'
          ? asked.then((stream) => readAndLeave(stream as AsyncIterable<unknown>, leave))
          : assert.rejects(asked, APIUserAbortError);
      while (fake.requests.length === before) await sleep(2);
      if (way === 'whole' || script === 'hang before headers') leave.abort();
      await raised;
      await waitForAbort(upstream);
    });
  }
}

/** Aborts at the first piece of a stream, which ends it: the SDK raises nothing then. */
async function readAndLeave(stream: AsyncIterable<unknown>, leave: AbortController): Promise<void> {
  let pieces = 0;
  for await (const _ of stream) {
    pieces += 1;
    leave.abort();
  }
  assert.ok(pieces > 0);
}

world.each('a client that stops reading a stream stops the provider', async (upstream) => {
  const params = {
    model: upstream.model,
    messages: [{ role: 'user' as const, content: 'slow 1 ms per chunk\nlong 5000' }],
  };
  const stream = await client.chat.completions.create({ ...params, stream: true });
  for await (const { choices } of stream) if (choices[0]?.delta.content) break;
  await waitForAbort(upstream);
  const helper = client.chat.completions.stream(params);
  helper.on('content', () => helper.abort());
  await assert.rejects(helper.done(), APIUserAbortError);
  await waitForAbort(upstream);
});

test('the usage records tell what became of each call', async () => {
  const records = await world.records();
  for (const [id, check] of accounts) {
    const record = records.find((candidate) => candidate.id === id);
    assert.ok(record, `a record of ${id}`);
    check(record);
  }
  const cancelled = records.filter(({ id }) => !accounts.has(id));
  assert.equal(cancelled.length, 3 * (2 * 2 + 2));
  for (const { outcome, status, usage } of cancelled) {
    assert.deepEqual([outcome, status], ['cancelled', 499]);
    assert.ok(usage, 'what was asked is accounted');
  }
});

test('a provider’s refusals are those that the scripts asked for', () => {
  // Beside them, those that were set from outside: 529 and 429, in both ways.
  world.checkRefusals(2 * 2 * world.upstreams.length);
});
