import assert from 'node:assert/strict';
import { request as ask, createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { SECRET_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';

const OLD = 'sk-the-old-credential-0000000000';
const NEW = 'sk-the-new-credential-1111111111';
const ENV = { FAIRLEAD_SECRET: SECRET_KEY };

interface Alarm {
  kind: string;
  severity: string;
  message: string;
  details: JsonObject;
}

/** One address before which the keys that `accepts` names are good, as at a provider where keys come and go. */
async function startProvider(context: TestContext, accepts: string[]) {
  const fakes = await Promise.all([OLD, NEW].map((apiKey) => startFakeOpenAi({ apiKey })));
  const good = new Set(accepts);
  const sent: string[] = [];
  const answerNew: { with: { status: number; message: string } | undefined } = { with: undefined };
  const [ofOld, ofNew] = fakes;
  assert.ok(ofOld && ofNew);
  const server = createServer((incoming, response) => {
    const key = incoming.headers.authorization?.replace('Bearer ', '') ?? '';
    sent.push(key);
    if (key === NEW && answerNew.with) {
      const { status, message } = answerNew.with;
      incoming.resume();
      response.writeHead(status, { 'content-type': 'application/json' });
      const error = { message, type: 'invalid_request_error', param: null, code: null };
      response.end(JSON.stringify({ error }));
      return;
    }
    // A key that is not good is sent to the fake that has another one: it refuses it as the real one would.
    const fake = (key === OLD) === good.has(key) ? ofOld : ofNew;
    const { hostname, port } = new URL(fake.url);
    const { method, headers } = incoming;
    const forwarded = ask({ hostname, port, path: incoming.url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  context.after(async () => {
    server.closeAllConnections();
    server.close();
    await Promise.all(fakes.map((fake) => fake.close()));
  });
  return { url: `http://127.0.0.1:${address.port}/v1`, sent, good, answerNew };
}

async function setUp(context: TestContext, accepts: string[], provider: object, config: object = {}) {
  const upstream = await startProvider(context, accepts);
  const up = { adapter: 'openai', baseUrl: upstream.url, ...provider };
  const gateway = await startGateway(config, undefined, { env: ENV });
  context.after(() => gateway.stop());
  const admin = adminClient(gateway.url);
  await admin.must('PUT', '/providers/up', up);
  const call = async (body: object = {}) => {
    const answer = await gateway.post('/v1/chat/completions', {
      model: 'up/gpt-4.1-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      ...body,
    });
    const text = await answer.text();
    const { headers } = answer;
    const [attempts, shouldRetry] = ['x-fairlead-attempts', 'x-should-retry'].map((name) =>
      headers.get(name),
    );
    return { status: answer.status, text, attempts, shouldRetry };
  };
  const events = async (kind: string): Promise<Alarm[]> => {
    const { body } = await admin.must('GET', '/events');
    return (body['data'] as unknown as Alarm[]).filter((event) => event.kind === kind);
  };
  const account = async () =>
    ((await admin.must('GET', '/providers/up')).body['accounts'] as JsonObject[])[0] ?? {};
  return { ...upstream, gateway, admin, call, events, account };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

test('a new credential gets its share of the calls, is proven, and replaces the old one', async (context) => {
  const setup = await setUp(context, [OLD, NEW], { accounts: [{ name: 'main', apiKey: OLD }] });
  const { admin, call, sent, events, account, gateway } = setup;
  const made = await admin.must('POST', '/providers/up/accounts/main/rotate', {
    apiKey: NEW,
    share: 0.25,
    proveAfter: 3,
  });
  const [told] = made.body['accounts'] as JsonObject[];
  const next = told?.['next'] as JsonObject;
  assert.deepEqual([next['share'], next['proveAfter']], [0.25, 3]);
  for (let calls = 0; calls < 11; calls++) assert.equal((await call()).status, 200);
  const standing = await admin.must('GET', '/providers/up/accounts');
  assert.deepEqual(standing.body['data'], [
    { name: 'main', credential: 'in use', next: { outcome: 'open', good: 2, share: 0.25, proveAfter: 3 } },
  ]);
  assert.equal((await admin.ask('GET', '/providers/nowhere/accounts')).status, 404);
  const shares = sent.map((key) => (key === NEW ? 'new' : 'old')).join(' ');
  assert.equal(shares, 'old old old new old old old new old old old');
  assert.equal((await call()).status, 200);
  await until('it has replaced the old one', async () => (await account())['next'] === undefined);
  sent.length = 0;
  for (let calls = 0; calls < 5; calls++) assert.equal((await call()).status, 200);
  assert.deepEqual([...new Set(sent)], [NEW]);
  const [proven] = await events('credential_proven');
  assert.deepEqual(proven?.details, { provider: 'up', account: 'main', writeItInTheFile: false });
  const newest = (await admin.must('GET', '/revisions?limit=1')).body['data'] as JsonObject[];
  assert.equal(newest[0]?.['author'], 'credential rotation');
  const all =
    JSON.stringify([(await admin.must('GET', '/config?owner=all')).body, made.body]) + gateway.logs();
  assert.doesNotMatch(all, /sk-the-(?:old|new)-credential/);
});

test('a new credential that is rejected costs no call, and is dropped with an alarm', async (context) => {
  const setup = await setUp(context, [OLD], { accounts: [{ name: 'main', apiKey: OLD }] });
  const { admin, call, sent, events, account } = setup;
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 1 });
  const first = await call();
  assert.deepEqual([first.status, first.attempts], [200, '2']);
  assert.deepEqual(sent, [NEW, OLD]);
  await until('it is dropped', async () => (await account())['next'] === undefined);
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW, OLD, OLD]);
  const alarms = await events('credential_rejected');
  assert.equal(alarms.length, 1);
  assert.equal(alarms[0]?.severity, 'alarm');
  assert.equal(alarms[0]?.details['next'], true);
});

test('an old credential that is revoked before the new one is proven costs no call', async (context) => {
  const setup = await setUp(context, [OLD, NEW], { accounts: [{ name: 'main', apiKey: OLD }] });
  const { admin, call, sent, good, events } = setup;
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 0.1 });
  assert.equal((await call()).status, 200);
  good.delete(OLD);
  sent.length = 0;
  for (let calls = 0; calls < 4; calls++) assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [OLD, NEW, NEW, NEW, NEW]);
  assert.equal((await events('credential_rejected')).length, 1);
});

test('a rotation is taken back, and one at an account that is not there is refused', async (context) => {
  const setup = await setUp(context, [OLD, NEW], { accounts: [{ name: 'main', apiKey: OLD }] });
  const { admin, call, sent, account } = setup;
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 1 });
  await admin.must('DELETE', '/providers/up/accounts/main/rotate');
  assert.deepEqual(Object.keys(await account()), ['name', 'apiKey']);
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [OLD]);
  const none = await admin.ask('POST', '/providers/up/accounts/other/rotate', { apiKey: NEW });
  assert.equal(none.status, 404);
  const rotate = '/providers/up/accounts/main/rotate';
  for (const [body, param] of [
    [{}, null],
    [{ apiKey: NEW, share: 2 }, 'share'],
    [{ apiKey: NEW, proveAfter: 0 }, 'proveAfter'],
    [{ aws: { accessKeyId: 'AKIAEXAMPLE0', secretAccessKey: 'abcdefghijk' } }, 'aws'],
  ] as const) {
    const refused = await admin.ask('POST', rotate, body);
    assert.deepEqual([refused.status, refused.body.error?.param], [400, param], JSON.stringify(refused.body));
  }
});

/** Beside one that weighs 1 it is the first of nearly all calls. */
const FIRST = 1e9;

test('a rejected credential is taken out at once, and another account takes over the same call', async (context) => {
  const accounts = [
    { name: 'first', apiKey: OLD, weight: FIRST },
    { name: 'second', apiKey: NEW },
  ];
  const { call, sent, events, gateway, good, admin } = await setUp(context, [NEW], { accounts });
  const first = await call();
  assert.deepEqual([first.status, first.attempts], [200, '2']);
  for (let calls = 0; calls < 3; calls++) assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [OLD, NEW, NEW, NEW, NEW]);
  const [alarm, ...others] = await events('credential_rejected');
  assert.equal(others.length, 0);
  assert.equal(alarm?.severity, 'alarm');
  assert.match(alarm?.message ?? '', /rejected the credential of the account 'first': it is taken out/);
  assert.match(gateway.logs(), /"event":"credential_rejected"/);
  assert.doesNotMatch(JSON.stringify(alarm) + gateway.logs(), /sk-the-/);

  // With another credential the account is back at once.
  good.add(OLD);
  await admin.must('PATCH', '/providers/up', {
    accounts: [
      { name: 'first', apiKey: NEW, weight: FIRST },
      { name: 'second', apiKey: OLD },
    ],
  });
  sent.length = 0;
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW]);
});

test('with no other account calls fail at once, without asking the provider again', async (context) => {
  const { call, sent, admin, good, events } = await setUp(context, [], {
    accounts: [{ name: 'main', apiKey: OLD }],
  });
  for (const stream of [false, true, false]) {
    const { status, text, shouldRetry } = await call({ stream });
    assert.equal(status, 502);
    assert.equal(shouldRetry, 'false');
    assert.match(text, /upstream_credentials_rejected/);
    assert.doesNotMatch(text, /sk-the-/);
  }
  assert.deepEqual(sent, [OLD]);
  const { body } = await admin.must('GET', '/providers/up/accounts');
  assert.deepEqual(body['data'], [{ name: 'main', credential: 'rejected', next: null }]);

  good.add(OLD);
  const probe = '/providers/up/accounts/main/probe';
  assert.equal((await admin.must('POST', probe)).body['wasRejected'], true);
  for (const status of [200, 200]) assert.equal((await call()).status, status);
  assert.deepEqual(sent, [OLD, OLD, OLD]);
  assert.equal((await events('credential_accepted')).length, 1);
  assert.equal((await admin.must('POST', probe)).body['wasRejected'], false);
  assert.equal((await admin.ask('POST', '/providers/up/accounts/other/probe')).status, 404);
});

test('a count that asks nobody is answered whether the credential is taken or not, and is no probe', async (context) => {
  const { call, sent, gateway } = await setUp(context, [], { accounts: [{ name: 'main', apiKey: OLD }] });
  assert.equal((await call()).status, 502);
  const messages = [{ role: 'user', content: 'Hello' }];
  const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }];
  for (const [path, body, field] of [
    ['/v1/messages/count_tokens', { model: 'up/gpt-4.1-mini', messages }, 'input_tokens'],
    ['/v1beta/models/up%2Fgpt-4.1-mini:countTokens', { contents }, 'totalTokens'],
  ] as const) {
    const answer = await gateway.post(path, body);
    assert.equal(answer.status, 200);
    assert.ok(Number(((await answer.json()) as JsonObject)[field]) > 0);
  }
  assert.deepEqual(sent, [OLD]);
});

test('a new credential that is refused what the old one may is dropped, and the caller’s own mistakes are not its', async (context) => {
  const { admin, call, sent, events, answerNew } = await setUp(context, [OLD, NEW], {
    accounts: [{ name: 'main', apiKey: OLD }],
  });
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 1, proveAfter: 99 });
  const unknown = await call({ model: 'up/gpt-nowhere' });
  assert.deepEqual([unknown.status, unknown.attempts], [404, '2']);
  assert.equal((await events('credential_rejected')).length, 0);

  answerNew.with = { status: 403, message: 'Project `proj_x` does not have access to model `gpt-4.1-mini`' };
  sent.length = 0;
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW, OLD]);
  await until('it is dropped', async () => (await events('credential_rejected')).length === 1);
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW, OLD, OLD]);
});

test('a failure that is not about the new credential costs no call either, and does not end the trial', async (context) => {
  const { admin, call, sent, account, answerNew } = await setUp(context, [OLD, NEW], {
    accounts: [{ name: 'main', apiKey: OLD }],
  });
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 1, proveAfter: 99 });
  answerNew.with = { status: 429, message: 'Rate limit reached' };
  assert.equal((await call()).status, 200);
  answerNew.with = undefined;
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW, OLD, NEW]);
  assert.ok((await account())['next']);
});

test('a restricted key that may not do one thing is not taken out', async (context) => {
  const { call, sent, events, answerNew } = await setUp(context, [NEW], {
    accounts: [{ name: 'main', apiKey: NEW }],
  });
  answerNew.with = {
    status: 401,
    message: 'You have insufficient permissions for this operation. Missing scopes: model.request.',
  };
  const refused = await call();
  assert.equal(refused.status, 502);
  assert.match(refused.text, /upstream_permission_denied/);
  answerNew.with = undefined;
  assert.equal((await call()).status, 200);
  assert.deepEqual(sent, [NEW, NEW]);
  assert.equal((await events('credential_rejected')).length, 0);
});

test('what the file declares is proven, too, has all calls then, and the operator is told what to write', async (context) => {
  const upstream = await startProvider(context, [OLD, NEW]);
  const next = { apiKey: NEW, share: 0.5, proveAfter: 2 };
  const accounts = [{ name: 'main', apiKey: OLD, next }];
  const providers = { up: { adapter: 'openai', baseUrl: upstream.url, accounts } };
  const gateway = await startGateway({ providers }, undefined, { env: ENV });
  context.after(() => gateway.stop());
  const body = { model: 'up/gpt-4.1-mini', messages: [{ role: 'user', content: 'Hello' }] };
  for (let calls = 0; calls < 7; calls++) {
    const answer = await gateway.post('/v1/chat/completions', body);
    await answer.text();
    assert.equal(answer.status, 200);
  }
  assert.deepEqual(upstream.sent, [OLD, NEW, OLD, NEW, NEW, NEW, NEW]);
  const admin = adminClient(gateway.url);
  const { body: list } = await admin.must('GET', '/events');
  const proven = (list['data'] as unknown as Alarm[]).find(({ kind }) => kind === 'credential_proven');
  assert.match(proven?.message ?? '', /write it as the account's own in the config file/);
  assert.equal((await admin.ask('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW })).status, 409);
});

test('a probe that is refused for another reason shows that the credential is good, and one that fails shows nothing', async (context) => {
  const setup = await setUp(context, [], { accounts: [{ name: 'main', apiKey: NEW }] });
  const { call, sent, events, answerNew, admin } = setup;
  const probe = '/providers/up/accounts/main/probe';
  const standing = async () => (await admin.must('GET', '/providers/up/accounts')).body['data'];
  await call();
  await admin.must('POST', probe);
  answerNew.with = { status: 500, message: 'Internal error' };
  let attempts = sent.length;
  for (let asked = 0; asked < 2; asked++) {
    const answer = await call();
    assert.equal(answer.status, 502);
    attempts += Number(answer.attempts);
  }
  assert.equal(sent.length, attempts, 'a probe that failed was not followed by the next one');
  assert.ok(attempts > 2);
  assert.deepEqual(await standing(), [{ name: 'main', credential: 'rejected', next: null }]);
  answerNew.with = { status: 400, message: 'Bad request' };
  assert.equal((await call()).status, 400);
  assert.deepEqual(await standing(), [{ name: 'main', credential: 'in use', next: null }]);
  assert.equal((await events('credential_accepted')).length, 1);
});

test('a call that the target cannot express is no probe', async (context) => {
  const { call, sent, good, admin, gateway } = await setUp(context, [], {
    accounts: [{ name: 'main', apiKey: NEW }],
  });
  await call();
  good.add(NEW);
  await admin.must('POST', '/providers/up/accounts/main/probe');
  const refused = await gateway.post('/v1/messages', {
    model: 'up/gpt-4.1-mini',
    max_tokens: 10,
    container: 'container_1',
    messages: [{ role: 'user', content: 'Hello' }],
  });
  assert.equal(refused.status, 400, await refused.text());
  assert.equal(sent.length, 1);
  assert.equal((await call()).status, 200);
});

test('a credential that a provider quotes is in no event, and no log line', async (context) => {
  const { admin, gateway, events, good, answerNew } = await setUp(context, [OLD, NEW], {
    accounts: [{ name: 'main', apiKey: OLD }],
  });
  await admin.must('POST', '/providers/up/accounts/main/rotate', { apiKey: NEW, share: 0.1, proveAfter: 99 });
  good.delete(OLD);
  const answer = await gateway.post('/v1/responses', { model: 'up/gpt-4.1-mini', input: 'Hello' });
  const kept = (await answer.json()) as { id: string };
  assert.equal(answer.status, 200, JSON.stringify(kept));
  answerNew.with = { status: 402, message: `The key ${NEW} is of an account that has not paid` };
  const refused = await gateway.get(`/v1/responses/${kept.id}`);
  const told = await refused.text();
  assert.equal(refused.status, 502, told);
  const alarms = await events('credential_rejected');
  assert.ok(
    alarms.some(({ details }) => String(details['reason']).includes('has not paid')),
    JSON.stringify(alarms),
  );
  assert.doesNotMatch(JSON.stringify(alarms) + told + gateway.logs(), /sk-the-/);
});

test('whoever writes a credential into what becomes an event: nobody reads it there', async (context) => {
  const { gateway, events } = await setUp(
    context,
    [OLD],
    { accounts: [{ name: 'main', apiKey: OLD }] },
    { tenants: { acme: { models: ['up/*'], keys: [{ name: 'app', secret: TEST_KEY }] } } },
  );
  const asked = await gateway.post('/v1/access-requests', { model: OLD, reason: `the key is ${OLD}` });
  assert.equal(asked.status, 201, await asked.text());
  const requested = await events('access_requested');
  assert.equal(requested.length, 1);
  assert.doesNotMatch(JSON.stringify(requested), /sk-the-/);
});
