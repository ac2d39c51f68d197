import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI, { PermissionDeniedError } from 'openai';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { ADMIN_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { startOidcIssuer } from '../support/oidc-issuer.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const KEYS = {
  acme: 'sk-fl-key-of-acme-00000000000000000',
  acmeToo: 'sk-fl-key-of-acme-too-0000000000000',
  acmeBound: 'sk-fl-key-of-acme-bound-00000000000',
  other: 'sk-fl-key-of-other-0000000000000000',
  viewer: 'sk-fl-admin-key-of-viewer-00000000',
};

const CONFIG = {
  models: {
    free: { targets: ['echo/free'] },
    gold: { targets: ['echo/gold'], approval: 'required' },
    hidden: { targets: ['echo/hidden'] },
  },
  adminKeys: { look: { role: 'viewer', secret: KEYS.viewer } },
  tenants: {
    acme: {
      models: ['*'],
      keys: [
        { name: 'app', secret: KEYS.acme },
        { name: 'too', secret: KEYS.acmeToo },
        { name: 'bound', secret: KEYS.acmeBound, models: ['free'] },
      ],
    },
    other: { models: ['free'], keys: [{ name: 'app', secret: KEYS.other }] },
  },
};

interface Answer {
  status: number;
  body: Record<string, unknown> & { error?: { message: string; code: string | null; param: string | null } };
}

/** What a tenant does with its own key. */
function tenantClient({ url }: TestGateway, key: string) {
  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  return {
    send,
    ask: (model: string, reason = 'a trial') => send('POST', '/v1/access-requests', { model, reason }),
    list: (query = '') => send('GET', `/v1/access-requests${query}`),
    call: async (model: string) =>
      (await send('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] }))
        .status,
  };
}

interface Setting {
  gateway: TestGateway;
  admin: AdminClient;
  acme: ReturnType<typeof tenantClient>;
  other: ReturnType<typeof tenantClient>;
}

async function start(context: TestContext, config: object = CONFIG): Promise<Setting> {
  const gateway = await startGateway(config);
  context.after(() => gateway.stop());
  return clientsOf(gateway);
}

function clientsOf(gateway: TestGateway): Setting {
  return {
    gateway,
    admin: adminClient(gateway.url),
    acme: tenantClient(gateway, KEYS.acme),
    other: tenantClient(gateway, KEYS.other),
  };
}

async function readRevision({ url }: TestGateway): Promise<number> {
  return ((await (await fetch(`${url}/readyz`)).json()) as { revision: number }).revision;
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

test('a tenant asks, an operator approves, and the tenant calls: the file’s tenants, too', async (context) => {
  const { acme, admin } = await start(context);
  assert.deepEqual([await acme.call('free'), await acme.call('gold')], [200, 403]);
  const asked = await acme.ask('gold', ' for the summaries ');
  assert.equal(asked.status, 201);
  const { id, createdAt, ...rest } = asked.body;
  assert.match(String(id), /^areq_/);
  assert.ok(Date.parse(String(createdAt)) > 0);
  assert.deepEqual(rest, { model: 'gold', reason: 'for the summaries', key: 'app', state: 'pending' });
  assert.equal(await acme.call('gold'), 403);

  const { body: seen } = await admin.must('GET', `/access-requests/${id}`);
  assert.deepEqual(seen, { tenant: 'acme', ...asked.body });
  const approved = await admin.must('POST', `/access-requests/${id}/approve`, { note: 'have fun' });
  assert.ok(approved.revision > 1);
  assert.deepEqual(
    { ...approved.body, decidedAt: 0 },
    {
      ...seen,
      state: 'approved',
      decidedAt: 0,
      decidedBy: 'environment',
      note: 'have fun',
      until: null,
      inForce: true,
    },
  );
  assert.equal(await acme.call('gold'), 200);
  const { body: own } = await acme.send('GET', `/v1/access-requests/${id}`);
  assert.deepEqual([own['state'], own['inForce'], own['note']], ['approved', true, 'have fun']);
  assert.equal(own['decidedBy'], undefined, 'who decides is no matter of tenants');

  const { body: revision } = await admin.must('GET', `/revisions/${approved.revision}`);
  assert.equal(revision['author'], 'environment');
  assert.deepEqual(revision['changes'], [
    { what: 'made', owner: 'api', kind: 'grants', name: 'acme/gold', after: { request: id } },
  ]);
  const { body: events } = await admin.must('GET', '/events');
  const kinds = (events['data'] as { kind: string; details: { request?: string } }[])
    .filter(({ details }) => details.request === id)
    .map(({ kind }) => kind);
  assert.deepEqual(kinds, ['access_approved', 'access_requested']);
});

test('a grant ends by itself when its period is over: no revision, no reload', async (context) => {
  const { acme, admin, gateway } = await start(context);
  const { body } = await acme.ask('gold');
  const approved = await admin.must('POST', `/access-requests/${body['id']}/approve`, { for: '1500ms' });
  assert.equal(await acme.call('gold'), 200);
  await until('the grant ends', async () => (await acme.call('gold')) === 403);
  assert.ok(Date.now() >= Date.parse(String(approved.body['until'])));
  assert.equal(await readRevision(gateway), approved.revision);
  const { body: seen } = await acme.send('GET', `/v1/access-requests/${body['id']}`);
  assert.deepEqual([seen['state'], seen['inForce']], ['approved', false]);
  assert.equal((await acme.ask('gold')).status, 201, 'it can be asked for anew');
});

test('a denial is told with its reason, changes no configuration, and can be followed by another request', async (context) => {
  const { other, admin, gateway } = await start(context);
  const before = await readRevision(gateway);
  const { body } = await other.ask('hidden');
  const denied = await admin.must('POST', `/access-requests/${body['id']}/deny`, { note: 'too dear' });
  assert.deepEqual([denied.body['state'], denied.body['note']], ['denied', 'too dear']);
  assert.equal(await readRevision(gateway), before);
  assert.equal(await other.call('hidden'), 403);
  for (const verb of ['approve', 'deny']) {
    const late = await admin.ask('POST', `/access-requests/${body['id']}/${verb}`, {});
    assert.deepEqual([late.status, late.body.error?.code], [409, 'already_decided']);
  }
  const again = await other.ask('hidden');
  assert.equal(again.status, 201);
  await admin.must('POST', `/access-requests/${again.body['id']}/approve`);
  assert.equal(await other.call('hidden'), 200);
});

test('a grant is taken back at once, given without a request, and goes with its tenant', async (context) => {
  const { acme, admin, gateway } = await start(context);
  const { body } = await acme.ask('gold');
  await admin.must('POST', `/access-requests/${body['id']}/approve`, {});
  const { body: list } = await admin.must('GET', '/tenants/acme/grants');
  assert.deepEqual(list['data'], [
    { tenant: 'acme', model: 'gold', owner: 'api', until: null, inForce: true, request: body['id'] },
  ]);
  await admin.must('DELETE', '/tenants/acme/grants/gold');
  assert.equal(await acme.call('gold'), 403);
  assert.equal((await acme.send('GET', `/v1/access-requests/${body['id']}`)).body['inForce'], false);

  // A target, whose name has a slash: of a tenant that the API made.
  await admin.must('POST', '/tenants', { name: 'globex', models: [] });
  const { body: made } = await admin.must('POST', '/tenants/globex/keys', { name: 'app' });
  const globex = tenantClient(gateway, String(made['secret']));
  assert.equal(await globex.call('echo/gold'), 403);
  const given = await admin.must('PUT', '/tenants/globex/grants/echo%2Fgold', { until: '2100-01-01' });
  assert.deepEqual(given.body, {
    tenant: 'globex',
    model: 'echo/gold',
    owner: 'api',
    until: '2100-01-01T00:00:00.000Z',
    inForce: true,
  });
  assert.equal(await globex.call('echo/gold'), 200);
  await admin.must('DELETE', '/tenants/globex');
  const { body: all } = await admin.must('GET', '/config');
  assert.deepEqual(all, {});
});

test('a restore brings a grant back as the rest, and one that has ended stays ended', async (context) => {
  const { acme, admin } = await start(context);
  const granted = await admin.must('PUT', '/tenants/acme/grants/gold', {});
  await admin.must('DELETE', '/tenants/acme/grants/gold');
  assert.equal(await acme.call('gold'), 403);
  await admin.must('POST', `/revisions/${granted.revision}/restore`);
  assert.equal(await acme.call('gold'), 200);
  const short = await admin.must('PUT', '/tenants/acme/grants/gold', { for: '1ms' });
  await until('the grant ends', async () => (await acme.call('gold')) === 403);
  await admin.must('DELETE', '/tenants/acme/grants/gold');
  await admin.must('POST', `/revisions/${short.revision}/restore`);
  assert.equal(await acme.call('gold'), 403);
});

test('the file grants as well, and what it grants is its own', async (context) => {
  const grants = [
    { model: 'gold', until: '2100-01-01' },
    { model: 'hidden', until: '2020-01-01' },
  ];
  const { acme, other, admin } = await start(context, {
    ...CONFIG,
    tenants: { acme: { ...CONFIG.tenants.acme, grants }, other: { ...CONFIG.tenants.other, grants } },
  });
  assert.deepEqual([await acme.call('gold'), await other.call('gold')], [200, 200]);
  assert.deepEqual([await acme.call('hidden'), await other.call('hidden')], [200, 403]);
  const { body } = await other.ask('hidden');
  const refused = await admin.ask('POST', `/access-requests/${body['id']}/approve`, {});
  assert.deepEqual([refused.status, refused.body.error?.code], [409, 'declared_by_both']);
  assert.match(refused.body.error?.message ?? '', /grant 'other\/hidden' is declared by both: test\.yaml/);
  const { body: seen } = await admin.must('GET', `/access-requests/${body['id']}`);
  assert.equal(seen['state'], 'pending', 'nothing of a refused approval is kept');
});

test('a target of a model that needs an approval is no way round it, nor what leads to all of a provider', async (context) => {
  const config = {
    ...CONFIG,
    providers: {
      openai: { accounts: [{ name: 'main', apiKey: 'sk-nobody' }], baseUrl: 'http://127.0.0.1:9/v1' },
    },
    models: { ...CONFIG.models, gold: { targets: ['echo/gold', 'openai/gold'], approval: 'required' } },
  };
  const { acme, admin, gateway } = await start(context, config);
  const upload = async () => {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob(['{}']), 'lines.jsonl');
    const headers = { authorization: `Bearer ${KEYS.acme}` };
    const response = await fetch(`${gateway.url}/v1/files`, { method: 'POST', body: form, headers });
    return { status: response.status, text: await response.text() };
  };
  assert.equal(await acme.call('echo/gold'), 403);
  const refused = await upload();
  assert.equal(refused.status, 403);
  assert.ok(refused.text.includes('POST /v1/access-requests') && refused.text.includes('openai/*'));
  const { body } = await acme.ask('gold');
  await admin.must('POST', `/access-requests/${body['id']}/approve`, {});
  assert.equal(await acme.call('echo/gold'), 200);
  assert.equal((await upload()).status, 502, 'nobody listens there, and the upload was let through');
});

test('what is wrong with a request or a decision is told with its path', async (context) => {
  const { acme, other, admin } = await start(context);
  const long = 'x'.repeat(2_001);
  const wrong: [body: unknown, param: string | null][] = [
    [{ reason: 'r' }, 'model'],
    [{ model: 'gold' }, 'reason'],
    [{ model: 'gold', reason: '  ' }, 'reason'],
    [{ model: 'gold', reason: long }, 'reason'],
    [{ model: 'gold', reason: 'a\0b' }, 'reason'],
    [{ model: 'gold\0', reason: 'r' }, 'model'],
    [{ model: 'x'.repeat(257), reason: 'r' }, 'model'],
    [{ model: `$${'{'}FAIRLEAD_ADMIN_KEY}`, reason: 'r' }, 'model'],
    [{ model: 'gold', reason: 'r', tenant: 'other' }, 'tenant'],
    [[], ''],
    ['{', null],
  ];
  for (const [body, param] of wrong) {
    const answer = await acme.send('POST', '/v1/access-requests', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.body.error?.param ?? '', param ?? '', JSON.stringify(body));
  }
  const allowed = await acme.ask('free');
  assert.deepEqual([allowed.status, allowed.body.error?.code], [409, 'already_allowed']);
  for (const query of ['?limit=0', '?state=lost', '?cursor=x', '?tenant=other']) {
    assert.equal((await acme.list(query)).status, 400, query);
  }

  const { body } = await other.ask('hidden');
  const id = String(body['id']);
  const decisions: [verb: string, body: unknown, status: number, param: string][] = [
    ['approve', { until: '2100-01-01', for: '1h' }, 400, 'for'],
    ['approve', { until: '2020-01-01' }, 400, 'until'],
    ['approve', { until: 'soon' }, 400, 'until'],
    ['approve', { for: '0s' }, 400, 'for'],
    ['approve', { for: '99999999d' }, 400, 'for'],
    ['approve', { forever: true }, 400, 'forever'],
    ['deny', { note: long }, 400, 'note'],
    ['deny', { for: '1h' }, 400, 'for'],
  ];
  for (const [verb, decision, status, param] of decisions) {
    const answer = await admin.ask('POST', `/access-requests/${id}/${verb}`, decision);
    assert.deepEqual([answer.status, answer.body.error?.param], [status, param], JSON.stringify(decision));
  }
  for (const path of ['/access-requests/x', '/access-requests/areq_%00', '/tenants/none/grants']) {
    assert.equal((await admin.ask('GET', path)).status, 404, path);
  }
  for (const query of ['cursor=x', 'state=lost', 'tenant=%00', 'model=%00', 'page=2']) {
    assert.equal((await admin.ask('GET', `/access-requests?${query}`)).status, 400, query);
  }
  const table: [method: string, path: string, body: unknown, status: number][] = [
    ['PUT', '/tenants/none/grants/gold', {}, 404],
    ['PUT', '/tenants/acme/grants/no-such-model', {}, 400],
    ['PUT', '/tenants/acme/grants/nowhere%2Fx', {}, 400],
    ['PUT', '/tenants/acme/grants/$%7BPATH%7D', {}, 400],
    ['DELETE', '/tenants/acme/grants/gold', undefined, 404],
  ];
  for (const [method, path, sent, status] of table) {
    assert.equal((await admin.ask(method, path, sent)).status, status, path);
  }
});

test('an approval of what is not there is refused: the tenant’s slip is found before its calls fail', async (context) => {
  const { other, admin } = await start(context);
  const { body } = await other.ask('hiden');
  const refused = await admin.ask('POST', `/access-requests/${body['id']}/approve`, {});
  assert.deepEqual([refused.status, refused.body.error?.code], [400, 'unknown_model']);
  await admin.must('POST', `/access-requests/${body['id']}/deny`, { note: 'is it hidden that you mean?' });
});

test('the doors of operators are described as all of the admin API', async (context) => {
  const { gateway } = await start(context);
  const { paths } = (await (await gateway.get('/openapi.json', ADMIN_KEY)).json()) as {
    paths: Record<string, object>;
  };
  const described = Object.entries(paths).filter(([path]) => /access-requests|grants/.test(path));
  assert.deepEqual(
    described.map(([path, operations]) => `${Object.keys(operations)} ${path}`),
    [
      'get /admin/v1/access-requests',
      'get /admin/v1/access-requests/{id}',
      'post /admin/v1/access-requests/{id}/approve',
      'post /admin/v1/access-requests/{id}/deny',
      'get /admin/v1/tenants/{tenant}/grants',
      'put,delete /admin/v1/tenants/{tenant}/grants/{model}',
    ],
  );
});

test('a viewer sees requests and decides nothing', async (context) => {
  const { other, gateway } = await start(context);
  const viewer = adminClient(gateway.url, KEYS.viewer);
  const { body } = await other.ask('hidden');
  await viewer.must('GET', '/access-requests');
  await viewer.must('GET', '/tenants/acme/grants');
  for (const [method, path] of [
    ['POST', `/access-requests/${body['id']}/approve`],
    ['POST', `/access-requests/${body['id']}/deny`],
    ['PUT', '/tenants/other/grants/hidden'],
    ['DELETE', '/tenants/other/grants/hidden'],
  ] as const) {
    assert.equal((await viewer.ask(method, path, {})).status, 403, path);
  }
  const { body: list } = await viewer.must('GET', '/access-requests?state=pending');
  assert.equal((list['data'] as object[]).length, 1);
});

test('operators find requests by tenant, model and state, a page at a time', async (context) => {
  const { acme, other, admin } = await start(context);
  const ids: string[] = [];
  for (const ask of [acme.ask('gold'), other.ask('gold'), other.ask('hidden')])
    ids.push(String((await ask).body['id']));
  const [first, second, third] = ids;
  await admin.must('POST', `/access-requests/${second}/deny`, {});
  const found = async (query: string) => {
    const { body } = await admin.must('GET', `/access-requests?${query}`);
    return { ids: (body['data'] as { id: string }[]).map(({ id }) => id), next: body['nextCursor'] };
  };
  const newestFirst = [...ids].sort().reverse();
  assert.deepEqual(await found(''), { ids: newestFirst, next: null });
  assert.deepEqual((await found('tenant=acme')).ids, [first]);
  assert.deepEqual((await found('state=denied')).ids, [second]);
  assert.deepEqual((await found('tenant=other&state=pending')).ids, [third]);
  assert.deepEqual((await found('model=hidden')).ids, [third]);
  const page = await found('limit=2');
  assert.deepEqual(page.ids, newestFirst.slice(0, 2));
  assert.deepEqual(await found(`limit=2&cursor=${page.next}`), { ids: newestFirst.slice(2), next: null });
});

test('no tenant sees, by any door or id, what another asks, or which models there are', async (context) => {
  const { acme, other, admin } = await start(context);
  const { body: theirs } = await acme.ask('gold', 'a secret plan');
  const { body: mine } = await other.ask('gold', 'mine');
  assert.notEqual(mine['id'], theirs['id']);
  const seen = [
    await other.list(),
    await other.list(`?cursor=${'areq_ffffffff-ffff-7fff-bfff-ffffffffffff'}`),
    await other.list('?state=pending'),
    await other.send('GET', `/v1/access-requests/${theirs['id']}`),
    await other.ask('gold', 'again'),
  ];
  for (const { body } of seen) assert.doesNotMatch(JSON.stringify(body), /acme|secret plan|"app","model"/);
  assert.deepEqual(
    seen.map(({ status }) => status),
    [200, 200, 200, 404, 200],
  );
  assert.deepEqual((await other.list()).body['data'], [mine]);
  const nobody = await other.send('GET', '/v1/access-requests/areq_00000000-0000-7000-8000-000000000000');
  assert.deepEqual(
    { ...seen[3]?.body.error, message: '' },
    { ...nobody.body.error, message: '' },
    'of another tenant is as of nobody',
  );
  await admin.must('POST', `/access-requests/${theirs['id']}/approve`, {});
  assert.deepEqual([await acme.call('gold'), await other.call('gold')], [200, 403]);

  // Whether a model exists, needs an approval or neither: nothing but the name that was sent is another.
  const answers = await Promise.all(
    ['gold', 'hidden', 'no-such'].map(async (model) => {
      const body = { model, messages: [{ role: 'user', content: 'Hi' }] };
      const refused = await other.send('POST', '/v1/chat/completions', body);
      return JSON.stringify(refused).replaceAll(model, 'MODEL');
    }),
  );
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  const asked = await Promise.all(['hidden', 'no-such'].map((model) => other.ask(model)));
  assert.deepEqual(
    asked.map(({ status, body }) => [status, Object.keys(body)]),
    [
      [201, Object.keys(mine)],
      [201, Object.keys(mine)],
    ],
  );
});

test('every key of a tenant asks for all of them; one that is limited to its own models is told so', async (context) => {
  const { acme, admin, gateway } = await start(context);
  const { body } = await tenantClient(gateway, KEYS.acmeToo).ask('gold');
  assert.equal(body['key'], 'too');
  const again = await acme.ask('gold');
  assert.deepEqual([again.status, again.body['id']], [200, body['id']], 'it is asked once');
  await admin.must('POST', `/access-requests/${body['id']}/approve`, {});
  assert.equal(await acme.call('gold'), 200);

  const bound = tenantClient(gateway, KEYS.acmeBound);
  assert.equal(await bound.call('gold'), 403);
  const refused = await bound.ask('gold');
  assert.deepEqual([refused.status, refused.body.error?.code], [403, 'key_is_limited']);
  assert.match(refused.body.error?.message ?? '', /use another key of your tenant/);
});

test('a caller with an access token asks for its tenant as a key does', async (context) => {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  const corp = {
    issuer: issuer.url,
    audience: 'gateway',
    tenant: 'acme',
    permissions: [
      { claim: 'roles', has: 'all', models: ['*'] },
      { claim: 'roles', has: 'few', models: ['free'] },
    ],
  };
  const gateway = await startGateway({ ...CONFIG, issuers: { corp } }, fetch);
  context.after(() => gateway.stop());
  const alice = tenantClient(gateway, await issuer.sign({ sub: 'alice', roles: ['all'] }));
  const bob = tenantClient(gateway, await issuer.sign({ sub: 'bob', roles: ['few'] }));
  assert.equal((await bob.ask('gold')).body.error?.code, 'key_is_limited');
  const { body } = await alice.ask('gold');
  assert.equal(body['key'], 'corp:alice');
  await adminClient(gateway.url).must('POST', `/access-requests/${body['id']}/approve`, {});
  assert.deepEqual([await alice.call('gold'), await bob.call('gold')], [200, 403]);
});

test('whoever has no key asks for nothing', async (context) => {
  const { gateway } = await start(context);
  const stranger = tenantClient(gateway, ADMIN_KEY);
  assert.equal((await stranger.ask('gold')).status, 401);
  assert.equal((await stranger.list()).status, 401);
});

test('the official SDKs raise their own errors at every door, which say how to ask', async (context) => {
  const { gateway } = await start(context);
  const { url } = gateway;
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: KEYS.acme, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: url, apiKey: KEYS.acme, maxRetries: 0 });
  const google = new GoogleGenAI({ apiKey: KEYS.acme, httpOptions: { baseUrl: url } });
  const model = 'gold';
  const messages = [{ role: 'user' as const, content: 'Hi' }];
  const file = new File(['x'], 'x.wav');
  const doors: Record<string, () => Promise<unknown>> = {
    chat: () => openai.chat.completions.create({ model, messages }),
    'chat, streamed': () => openai.chat.completions.create({ model, messages, stream: true }),
    completions: () => openai.completions.create({ model, prompt: 'Hi' }),
    responses: () => openai.responses.create({ model, input: 'Hi' }),
    embeddings: () => openai.embeddings.create({ model, input: 'Hi' }),
    images: () => openai.images.generate({ model, prompt: 'Hi' }),
    edits: () => openai.images.edit({ model, prompt: 'Hi', image: file }),
    speech: () => openai.audio.speech.create({ model, input: 'Hi', voice: 'alloy' }),
    transcriptions: () => openai.audio.transcriptions.create({ model, file }),
    moderations: () => openai.moderations.create({ model, input: 'Hi' }),
    messages: () => anthropic.messages.create({ model, messages, max_tokens: 10 }),
    'messages, counted': () => anthropic.messages.countTokens({ model, messages }),
    gemini: () => google.models.generateContent({ model, contents: 'Hi' }),
    'gemini, streamed': () => google.models.generateContentStream({ model, contents: 'Hi' }),
    'gemini, counted': () => google.models.countTokens({ model, contents: 'Hi' }),
    'gemini, embedded': () => google.models.embedContent({ model, contents: 'Hi' }),
  };
  for (const [door, ask] of Object.entries(doors)) {
    await assert.rejects(ask(), (error) => {
      const isTyped =
        error instanceof PermissionDeniedError ||
        error instanceof Anthropic.PermissionDeniedError ||
        (error instanceof ApiError && error.status === 403);
      assert.ok(isTyped, `${door}: ${String(error)}`);
      assert.match(error.message, /POST \/v1\/access-requests with .*gold/, door);
      return true;
    });
  }
  const listed: string[] = [];
  for await (const { id } of openai.models.list()) listed.push(id);
  assert.deepEqual(listed.sort(), ['echo/echo', 'free', 'hidden']);
  await assert.rejects(openai.models.retrieve('gold'), /may not call it\. Ask for access: POST/);
});

test('an approval that a configuration does without is no more', async (context) => {
  const { acme, admin } = await start(context, { ...CONFIG, models: { free: CONFIG.models.free } });
  await admin.must('PUT', '/models/made', { targets: ['echo/made'], approval: 'required' });
  assert.deepEqual([await acme.call('made'), await acme.call('echo/made')], [403, 403]);
  await admin.must('PATCH', '/models/made', { approval: 'none' });
  assert.deepEqual([await acme.call('made'), await acme.call('echo/made')], [200, 200]);
});

test('a tenant leaves the file when what it was granted has ended or is taken back, not before', async (context) => {
  const folder = makeTempDirectory(context);
  const path = join(folder, 'fairlead.yaml');
  const { acme, other } = CONFIG.tenants;
  const fileWith = (tenants: object) =>
    JSON.stringify({ server: { port: 0 }, models: CONFIG.models, tenants: { other, ...tenants } });
  const gateway = await startGateway({}, undefined, { folder, file: fileWith({ acme }) });
  context.after(() => gateway.stop());
  const { admin, acme: client } = clientsOf(gateway);
  await admin.must('PUT', '/tenants/acme/grants/gold', {});
  writeFileSync(path, fileWith({}));
  await gateway.reload();
  assert.equal(await client.call('gold'), 200);
  assert.match(gateway.logs(), /the tenant is not there, and has grants still \(made by the admin API\)/);

  await admin.must('PUT', '/tenants/acme/grants/gold', { for: '1ms' });
  // 403, or 401 where the file was looked at once more behind the end.
  await until('the grant ends', async () => (await client.call('gold')) !== 200);
  await gateway.reload();
  assert.equal(await client.call('free'), 401);
});

onEachDatabaseInTurn((database) => {
  test('all instances on a store see requests at once and grants within moments', async (context) => {
    const store = await database.makeUrl(context);
    const settings: Setting[] = [];
    for (let index = 0; index < 2; index += 1)
      settings.push(clientsOf(await startGateway({ ...CONFIG, store })));
    try {
      await checkTogether(settings);
    } finally {
      // Here, not in a hook: the database goes in an earlier one.
      await Promise.all(settings.map(({ gateway }) => gateway.stop()));
    }
  });
});

async function checkTogether(settings: readonly Setting[]): Promise<void> {
  const [one, two] = settings;
  assert.ok(one && two);
  const { body } = await one.acme.ask('gold');
  assert.deepEqual((await two.acme.list()).body['data'], [body]);
  const approve = `/access-requests/${body['id']}/approve`;
  const decided = await Promise.all(settings.map(({ admin }) => admin.ask('POST', approve, { for: '1h' })));
  assert.deepEqual(decided.map(({ status }) => status).sort(), [200, 409]);
  const all = async (status: number) =>
    (await Promise.all(settings.map(({ acme }) => acme.call('gold')))).every((answer) => answer === status);
  await until('both let it in', () => all(200));
  await two.admin.must('DELETE', '/tenants/acme/grants/gold');
  await until('both refuse it', () => all(403));
  const { body: revisions } = await one.admin.must('GET', '/revisions');
  assert.equal((revisions['data'] as object[]).length, 3, 'the file, one approval, its end');
}
