import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import OpenAI from 'openai';
import { stringify } from 'yaml';
import type { JsonObject } from '../../src/conversation/json.ts';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const upstream = await startRawUpstream((response, body) => {
  const { model } = JSON.parse(body) as { model: string };
  response.setHeader('content-type', 'application/json');
  if (model === 'dead') response.writeHead(500);
  response.end(chatAnswer(`of ${model}`));
});
after(upstream.close);

const UP = {
  adapter: 'openai-compatible',
  baseUrl: upstream.baseUrl,
  accounts: [
    { name: 'eu', apiKey: 'key-of-eu' },
    { name: 'us', apiKey: 'key-of-us' },
  ],
};

/** A gateway whose models and rollouts are the admin API's. */
async function start(context: TestContext, config: object) {
  const gateway = await startGateway({ providers: { up: UP } });
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  await admin.must('PUT', '/config', config);
  return { gateway, admin };
}

function clientOf({ url }: TestGateway): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}

/** What a call's answer says. */
async function say(client: OpenAI, user = 'somebody'): Promise<string | null | undefined> {
  const { choices } = await client.chat.completions.create({
    ...{ model: 'smart', user },
    messages: [{ role: 'user', content: 'Hi' }],
  });
  return choices[0]?.message.content;
}

async function becomes<T>(wanted: T, read: () => Promise<T>): Promise<void> {
  for (let waited = 0; waited < 400 && !isDeepStrictEqual(await read(), wanted); waited++) await sleep(25);
  assert.deepEqual(await read(), wanted);
}

const targetsOf = (admin: AdminClient) => async () =>
  (await admin.must('GET', '/models/smart')).body['targets'];

async function releasesOf(admin: AdminClient): Promise<unknown[]> {
  const { body } = await admin.must('GET', '/models/smart/releases');
  return (body['data'] as JsonObject[]).map(
    ({ hash: _, firstSeen: _at, revision: _revision, ...release }) => release,
  );
}

test('every release that a model stands on or is to move to has a number for good', async (context) => {
  const { admin } = await start(context, {
    models: { smart: { targets: [{ target: 'up/old', parameters: { temperature: 0.2 }, weight: 3 }] } },
    rollouts: { upgrade: { model: 'smart', stable: 'up/old', candidate: 'up/new' } },
  });
  const old = { release: 1, target: 'up/old', parameters: { temperature: 0.2 } };
  const next = { release: 2, target: 'up/new', parameters: { temperature: 0.2 } };
  await becomes<unknown>(
    [
      { ...next, current: false },
      { ...old, current: true },
    ],
    () => releasesOf(admin),
  );
  const { body: one } = await admin.must('GET', '/models/smart/releases/1');
  assert.match(String(one['hash']), /^[0-9a-f]{64}$/);
  // The same in another order, and with another share, is the same.
  const targets = [{ weight: 1, parameters: { temperature: 0.2 }, target: 'up/old' }];
  await admin.must('PUT', '/models/smart', { targets });
  await admin.must('POST', '/rollouts/upgrade/start');
  const { body: report } = await admin.must('GET', '/rollouts/upgrade/report');
  assert.deepEqual([report['stable'], report['candidate']], [old, next]);
  await becomes<unknown>([{ stable: old, candidate: next }], async () => {
    const { body } = await admin.must('GET', '/events');
    const events = (body['data'] as { kind: string; details: JsonObject }[]).filter(
      ({ kind }) => kind === 'rollout_canary',
    );
    return events.map(({ details: { stable, candidate } }) => ({ stable, candidate }));
  });
  await admin.must('POST', '/rollouts/upgrade/promote');
  await becomes<unknown>(
    [
      { ...next, current: true },
      { ...old, current: false },
    ],
    () => releasesOf(admin),
  );
  const { body: page } = await admin.must('GET', '/models/smart/releases?limit=1');
  assert.equal(page['nextCursor'], '2');
  const { body: rest } = await admin.must('GET', '/models/smart/releases?limit=1&cursor=2');
  assert.deepEqual([(rest['data'] as JsonObject[])[0]?.['release'], rest['nextCursor']], [1, null]);
  const { status, body } = await admin.ask('GET', '/models/smart/releases/3');
  assert.equal(status, 404, JSON.stringify(body));
  assert.equal((await admin.ask('GET', '/models/none/releases')).status, 404);
});

test('a release is named by its number, and written out', async (context) => {
  const { admin } = await start(context, {
    models: { smart: { targets: [{ target: 'up/old', timeouts: { total: '1m' } }] } },
  });
  await becomes<unknown>(1, async () => (await releasesOf(admin)).length);
  await admin.must('PUT', '/models/smart', { targets: ['up/new'] });
  await becomes<unknown>(2, async () => (await releasesOf(admin)).length);
  await admin.must('POST', '/rollouts', { name: 'back', model: 'smart', stable: 2, candidate: 1 });
  const { body } = await admin.must('GET', '/rollouts/back');
  assert.equal(body['stable'], 'up/new');
  assert.deepEqual(body['candidate'], { target: 'up/old', timeouts: { total: '60000ms' } });
  const standing = body['standing'] as JsonObject;
  assert.deepEqual(
    [standing['phase'], standing['candidate']],
    ['draft', { release: 1, target: 'up/old', timeouts: { total: '60000ms' } }],
  );
  const none = await admin.ask('PATCH', '/rollouts/back', { candidate: 7 });
  assert.deepEqual([none.status, none.body.error?.code], [404, 'not_found']);
});

test('what a release says calls are told goes with them, and what a candidate does not say it has of the stable', async (context) => {
  const targets = [
    { target: 'up/old', parameters: { temperature: 0.2, maxOutputTokens: 77 }, timeouts: { total: '50s' } },
  ];
  const { gateway, admin } = await start(context, {
    models: { smart: { targets }, plain: { targets } },
    rollouts: {
      upgrade: { model: 'smart', stable: 'up/old', candidate: 'up/new' },
      other: {
        ...{ model: 'plain', stable: 'up/old' },
        candidate: { target: 'up/new', parameters: { topP: 0.5 } },
      },
    },
  });
  for (const name of ['upgrade', 'other']) {
    await admin.must('POST', `/rollouts/${name}/start`);
    await admin.must('POST', `/rollouts/${name}/promote`);
  }
  const sent = async (model: string, path: string, body: object) => {
    upstream.requests.length = 0;
    const answer = await gateway.post(path, { ...body, model, max_tokens: undefined });
    assert.equal(answer.status, 200, await answer.text());
    const {
      temperature,
      max_tokens,
      max_completion_tokens,
      top_p,
      model: called,
    } = JSON.parse(upstream.requests[0]?.body ?? '{}') as Record<string, unknown>;
    return { called, temperature, limit: max_tokens ?? max_completion_tokens, top_p };
  };
  const messages = [{ role: 'user', content: 'Hi' }];
  const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
  for (const [path, body] of [
    ['/v1/chat/completions', { messages }],
    ['/v1/responses', { input: 'Hi' }],
  ] as const) {
    const bridged = { called: 'new', temperature: 0.2, limit: 77, top_p: undefined };
    assert.deepEqual(await sent('smart', path, body), bridged, path);
    const own = { called: 'new', temperature: undefined, limit: undefined, top_p: 0.5 };
    assert.deepEqual(await sent('plain', path, body), own, path);
  }
  assert.equal((await gateway.post('/v1beta/models/smart:generateContent', { contents })).status, 200);
  const total = { total: '50000ms' };
  await becomes<unknown>(
    [{ target: 'up/new', parameters: { temperature: 0.2, maxOutputTokens: 77 }, timeouts: total }],
    targetsOf(admin),
  );
  // The way back has what the stable had, though nobody wrote it into the rollout.
  await admin.must('POST', '/rollouts/other/rollback');
  await becomes<unknown>([{ ...targets[0], timeouts: total }], async () => {
    return (await admin.must('GET', '/models/plain')).body['targets'];
  });
});

test('blue and green: one step to everyone, and the way back is there at once', async (context) => {
  const { gateway, admin } = await start(context, {
    models: { smart: { targets: ['up/old'] } },
    rollouts: {
      switch: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        steps: [{ weight: 100, hold: '1s' }],
        gates: { minCalls: 5, p50LatencyRatio: 100 },
      },
    },
  });
  const client = clientOf(gateway);
  assert.equal(await say(client), 'of old');
  await admin.must('POST', '/rollouts/switch/start');
  for (let user = 0; user < 10; user++) assert.equal(await say(client, `u${user}`), 'of new');
  await becomes<unknown>('promoted', async () => {
    return ((await admin.must('GET', '/rollouts')).body['data'] as JsonObject[])[0]?.['phase'];
  });
  await becomes<unknown>(['up/new'], targetsOf(admin));
  assert.equal(await say(client), 'of new');
  await admin.must('POST', '/rollouts/switch/rollback');
  for (let user = 0; user < 10; user++) assert.equal(await say(client, `u${user}`), 'of old');
  await becomes<unknown>(['up/old'], targetsOf(admin));
  assert.equal(await say(client), 'of old');
});

test('the way back is there at once also where the config file has the candidate by now', async (context) => {
  const folder = makeTempDirectory(context);
  const fileWith = (target: object) =>
    stringify({
      server: { port: 0 },
      providers: { up: UP },
      models: { smart: { targets: [target] } },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
      rollouts: { upgrade: { model: 'smart', stable: 'up/old', candidate: 'up/new' } },
    });
  const old = { target: 'up/old', parameters: { temperature: 0.3 } };
  const gateway = await startGateway({}, undefined, { folder, file: fileWith(old) });
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  const client = clientOf(gateway);
  await admin.must('POST', '/rollouts/upgrade/start');
  await admin.must('POST', '/rollouts/upgrade/promote');
  await becomes<unknown>(1, async () => {
    const { body } = await admin.must('GET', '/events');
    return (body['data'] as { kind: string }[]).filter(({ kind }) => kind === 'rollout_to_be_written').length;
  });
  await writeFile(join(folder, 'fairlead.yaml'), fileWith({ target: 'up/new' }));
  await gateway.reload();
  assert.equal(await say(client), 'of new');
  await admin.must('POST', '/rollouts/upgrade/rollback');
  upstream.requests.length = 0;
  assert.equal(await say(client), 'of old');
  const { temperature } = JSON.parse(upstream.requests[0]?.body ?? '{}') as Record<string, unknown>;
  assert.equal(temperature, 0.3, 'as it was when the rollout began');
  // It can be begun anew from there, too: both sides are what they were.
  await admin.must('POST', '/rollouts/upgrade/start');
  const said = new Set<unknown>();
  for (let user = 0; user < 300 && said.size < 2; user++) said.add(await say(client, `u${user}`));
  assert.deepEqual([...said].sort(), ['of new', 'of old']);
});

test('a model moves to another account of its provider: a new key, region or endpoint', async (context) => {
  const { gateway, admin } = await start(context, {
    models: { smart: { targets: [{ target: 'up/same', account: 'eu' }] } },
    rollouts: {
      account: {
        ...{ model: 'smart', stable: 'up/same', candidate: { target: 'up/same', account: 'us' } },
        steps: [{ weight: 50, hold: '10m' }],
      },
    },
  });
  const client = clientOf(gateway);
  const keyOf = async (user: string) => {
    upstream.requests.length = 0;
    await say(client, user);
    return upstream.requests[0]?.headers.authorization;
  };
  for (let user = 0; user < 8; user++) assert.equal(await keyOf(`u${user}`), 'Bearer key-of-eu');
  await admin.must('POST', '/rollouts/account/start');
  const keys = new Map<string, string | undefined>();
  for (let user = 0; user < 40; user++) keys.set(`u${user}`, await keyOf(`u${user}`));
  assert.equal(new Set(keys.values()).size, 2, 'both accounts have users');
  for (const [user, key] of keys) assert.equal(await keyOf(user), key, 'who is at an account stays there');
  const candidates = [...keys.values()].filter((key) => key === 'Bearer key-of-us').length;
  await becomes<unknown>(2 * candidates, async () => {
    const standing = (await admin.must('GET', '/rollouts/account')).body['standing'] as JsonObject;
    return standing['candidateCalls'];
  });
  await admin.must('POST', '/rollouts/account/promote');
  await becomes<unknown>([{ target: 'up/same', account: 'us' }], targetsOf(admin));
  for (let user = 0; user < 8; user++) assert.equal(await keyOf(`u${user}`), 'Bearer key-of-us');
  await admin.must('POST', '/rollouts/account/rollback');
  for (let user = 0; user < 8; user++) assert.equal(await keyOf(`u${user}`), 'Bearer key-of-eu');
});

test('a promotion that nobody has written, for its instance was killed, is written at the next start', async (context) => {
  const folder = makeTempDirectory(context);
  const first = await startGateway({ providers: { up: UP } }, undefined, { folder });
  const admin = adminClient(first.url);
  await admin.must('PUT', '/config', {
    models: { smart: { targets: ['up/old'] } },
    rollouts: { upgrade: { model: 'smart', stable: 'up/old', candidate: 'up/new' } },
  });
  await admin.must('POST', '/rollouts/upgrade/start');
  await admin.must('POST', '/rollouts/upgrade/promote');
  await becomes<unknown>(['up/new'], targetsOf(admin));
  // As a kill between the two leaves it.
  await admin.must('PUT', '/models/smart', { targets: ['up/old'] });
  await first.stop();
  const second = await startGateway({ providers: { up: UP } }, undefined, { folder });
  context.after(second.stop);
  await becomes<unknown>(['up/new'], targetsOf(adminClient(second.url)));
  assert.equal(await say(clientOf(second)), 'of new');
});

test('the way back of a candidate that was a fallback of the stable has it behind that again', async (context) => {
  const folder = makeTempDirectory(context);
  const targets = ['up/dead', 'up/other', { target: 'up/new', timeouts: { total: '50s' }, weight: 2 }];
  const rollout = (model: string) => ({ model, stable: 'up/dead', candidate: 'up/new' });
  const fileWith = (written: unknown[]) =>
    stringify({
      server: { port: 0 },
      providers: { up: UP },
      models: { filed: { targets: written, retries: 2 } },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
      rollouts: { inFile: rollout('filed') },
    });
  const gateway = await startGateway({}, undefined, { folder, file: fileWith([targets[0], targets[2]]) });
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/models', { name: 'smart', targets: ['up/dead'] });
  await admin.must('POST', '/rollouts', { name: 'upgrade', ...rollout('smart') });
  for (const name of ['upgrade', 'inFile']) {
    await admin.must('POST', `/rollouts/${name}/start`);
    // What somebody changes meanwhile is what it comes back to.
    if (name === 'upgrade') await admin.must('PUT', '/models/smart', { targets });
    await admin.must('POST', `/rollouts/${name}/promote`);
  }
  await becomes<unknown>(['up/new', 'up/other'], async () =>
    ((await targetsOf(admin)()) as (JsonObject | string)[]).map((one) =>
      typeof one === 'string' ? one : one['target'],
    ),
  );
  await admin.must('POST', '/rollouts/upgrade/rollback');
  await becomes<unknown>(targets, targetsOf(admin));

  // What the config file has is the file's to change: until then calls go where they went before.
  await writeFile(join(folder, 'fairlead.yaml'), fileWith(['up/new']));
  await gateway.reload();
  const askedOf = async () => {
    upstream.requests.length = 0;
    const body = { model: 'filed', messages: [{ role: 'user', content: 'Hi' }] };
    assert.equal((await gateway.post('/v1/chat/completions', body)).status, 200);
    return upstream.requests.map((request) => (JSON.parse(request.body) as { model: string }).model);
  };
  // Also where it begins anew from there: the second way back is the first one's.
  for (const _time of ['first', 'second']) {
    await admin.must('POST', '/rollouts/inFile/rollback');
    assert.deepEqual(new Set(await askedOf()), new Set(['dead', 'new']));
    await admin.must('POST', '/rollouts/inFile/start');
  }
});
