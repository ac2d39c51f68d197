import assert from 'node:assert/strict';
import { afterEach, type TestContext, test } from 'node:test';
import { AnswerTap, type CapturedCall } from '../../src/captures/capture.ts';
import {
  CaptureArchive,
  type CaptureArchiveOptions,
  type CaptureProblem,
} from '../../src/captures/capture-archive.ts';
import { CaptureThread } from '../../src/captures/capture-thread.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { openTempStore } from '../support/temp-store.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const NOW = Date.UTC(2027, 0, 1);

async function openArchive(context: TestContext, options: Partial<CaptureArchiveOptions> = {}) {
  const store = await openTempStore(context);
  const time = new VirtualSchedule();
  const problems: CaptureProblem[] = [];
  const archive = new CaptureArchive({
    store,
    now: () => NOW + time.nowMs,
    schedule: time.schedule,
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  const read = () => store.db.selectFrom('captures').selectAll().orderBy('call_id').execute();
  return { archive, time, problems, read };
}

function makeCall(id: string, text: string, policy: Partial<CapturedCall['policy']> = {}): CapturedCall {
  const answer = new AnswerTap();
  answer.push(JSON.stringify({ text }));
  return {
    ...{ id, tenant: 'acme', startedAt: NOW, form: 'chat', stream: false, answer },
    policy: { retentionMs: 60_000, redact: [], ...policy },
    request: Buffer.from('{}'),
  };
}

test('captures are written, and deleted when their time is over', async (context) => {
  const { archive, time, problems, read } = await openArchive(context);
  await time.advance(0);
  archive.keep(makeCall('short', 'a'));
  archive.keep(makeCall('long', 'b', { retentionMs: 86_400_000 }));
  while ((await read()).length < 2) await time.advance(0);
  await time.advance(30 * 60_000);
  assert.deepEqual(
    (await read()).map(({ call_id, response }) => [call_id, response]),
    [['long', '{"text":"b"}']],
  );
  await archive.close();
  assert.deepEqual(problems, []);
  assert.equal(time.waitingTasks, 0);
});

test('an expression that tries every way to match is ended: nothing is kept of the call, later ones are', async (context) => {
  const { archive, problems, read } = await openArchive(context, { thread: new CaptureThread(300) });
  archive.keep(makeCall('endless', `${'a'.repeat(60)}!`, { redact: ['^(a+)+$'] }));
  archive.keep(makeCall('ordinary', 'b'));
  await archive.close();
  assert.deepEqual(problems, [{ kind: 'redaction_timed_out', call: 'endless', tenant: 'acme' }]);
  assert.deepEqual(
    (await read()).map(({ call_id, request, response, gap }) => [call_id, request, response, gap]),
    [
      ['endless', null, null, 'redaction_timed_out'],
      ['ordinary', '{}', '{"text":"b"}', null],
    ],
  );
});

test('what waits is bounded in number and size, and what finds no room is told', async (context) => {
  const { archive, problems } = await openArchive(context, { maxPending: 2, maxPendingBytes: 1_000 });
  archive.keep(makeCall('one', 'a'));
  archive.keep(makeCall('large', 'b'.repeat(1_000)));
  archive.keep(makeCall('two', 'c'));
  archive.keep(makeCall('three', 'd'));
  await archive.close();
  archive.keep(makeCall('late', 'e'));
  assert.deepEqual(
    problems.map((problem) => problem.kind === 'capture_lost' && [problem.call, problem.reason]),
    [
      ['large', 'full'],
      ['three', 'full'],
      ['late', 'closed'],
    ],
  );
});

interface FoundCall {
  id: string;
  capture: {
    request: { messages?: unknown; input?: unknown };
    response: unknown;
    gap: string | null;
    expiresAt: number;
  } | null;
}

test('an operator reads a call with its prompt and answer, redacted; a tenant without capture has none', async () => {
  const gateway = await startGateway({
    tenants: {
      acme: {
        models: ['*'],
        capture: { mode: 'full', retention: '1h', redact: ['\\d{4}-\\d{4}'] },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
      plain: { models: ['*'], keys: [{ name: 'app', secret: 'sk-fl-plain-00000000' }] },
      metadata: {
        models: ['*'],
        capture: { mode: 'metadata' },
        keys: [{ name: 'app', secret: 'sk-fl-metadata-00000000' }],
      },
    },
  });
  closing.push(gateway.stop);
  const ask = { model: 'echo/echo', messages: [{ role: 'user', content: 'My number is 1234-5678.' }] };
  const readCall = async (id: string) =>
    (await (await gateway.get(`/admin/v1/calls/${id}`, ADMIN_KEY)).json()) as FoundCall;
  const idOf = async (response: Response) => {
    await response.text();
    return response.headers.get('x-request-id') ?? '';
  };
  const kept = [
    await idOf(await gateway.post('/v1/chat/completions', ask)),
    await idOf(await gateway.post('/v1/chat/completions', { ...ask, stream: true })),
    await idOf(await gateway.post('/v1/messages', { ...ask, max_tokens: 50, stream: true })),
    await idOf(
      await gateway.post('/v1/responses', { model: 'echo/echo', input: 'It is 1234-5678.', stream: true }),
    ),
  ];
  const legacy = await idOf(
    await gateway.post('/v1/completions', { model: 'echo/echo', prompt: '1234-5678', stream: true }),
  );
  const others = [];
  for (const key of ['sk-fl-plain-00000000', 'sk-fl-metadata-00000000']) {
    const headers = { authorization: `Bearer ${key}` };
    others.push(await idOf(await gateway.post('/v1/chat/completions', ask, { headers })));
  }
  await gateway.calls(kept.length + 1 + others.length);
  for (const id of kept) {
    let call = await readCall(id);
    while (!call.capture) call = await readCall(id);
    assert.equal(call.id, id);
    const text = JSON.stringify(call.capture);
    assert.match(text, /\[redacted\].*\[redacted\]/, text);
    assert.doesNotMatch(text, /1234-5678/);
    assert.ok(call.capture.expiresAt > Date.now());
  }
  let call = await readCall(legacy);
  while (!call.capture) call = await readCall(legacy);
  assert.deepEqual([call.capture.response, call.capture.gap], [null, 'unreadable']);
  for (const id of others) assert.equal((await readCall(id)).capture, null);
});

test('a call that is not there is not found, and only the admin key asks', async () => {
  const gateway = await startGateway();
  closing.push(gateway.stop);
  for (const id of ['req_01890000-0000-7000-8000-000000000000', 'nonsense']) {
    assert.equal((await gateway.get(`/admin/v1/calls/${id}`, ADMIN_KEY)).status, 404);
  }
  assert.equal((await gateway.get('/admin/v1/calls/nonsense')).status, 401);
});
