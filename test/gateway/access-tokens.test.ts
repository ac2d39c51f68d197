import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { TokenIssuer } from '../../src/tenants/token-issuer.ts';
import { TokenRing } from '../../src/tenants/token-ring.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { type OidcIssuer, startOidcIssuer } from '../support/oidc-issuer.ts';

const BODY = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };

async function start(
  context: TestContext,
  config: object,
  more: (issuer: OidcIssuer) => object = () => ({}),
) {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  const gateway = await startGateway(
    {
      models: { fast: { targets: ['echo/echo'] } },
      tenants: {
        acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
        globex: { models: ['fast'], limits: { requestsPerMinute: 2 } },
      },
      issuers: { corp: { issuer: issuer.url, audience: 'gateway', ...config, ...more(issuer) } },
    },
    fetch,
  );
  context.after(() => gateway.stop());
  const call = async (token: string, body: object = BODY) => {
    const answer = await gateway.post('/v1/chat/completions', body, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { error } = (await answer.json()) as { error?: { message: string; code: string | null } };
    return { status: answer.status, code: error?.code ?? null, message: error?.message ?? '' };
  };
  return { issuer, gateway, call };
}

test('a caller comes with a token of its issuer: the official SDK, its records, keys as before', async (context) => {
  const { issuer, gateway, call } = await start(context, { tenant: 'acme' });
  const token = await issuer.sign({ sub: 'alice' });
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: token, maxRetries: 0 });
  const answer = await client.chat.completions.create({
    model: 'fast',
    messages: [{ role: 'user', content: 'Hi' }],
  });
  assert.equal(answer.choices[0]?.message.content, 'Echo: Hi');
  assert.equal((await call(TEST_KEY)).status, 200);
  const records = await gateway.calls(2);
  assert.deepEqual(records.map(({ tenant, key }) => `${tenant} ${key}`).toSorted(), [
    'acme app',
    'acme corp:alice',
  ]);
  assert.ok(!gateway.logs().includes(token));
});

test('every family of doors takes tokens where its clients put their key', async (context) => {
  const { issuer, gateway } = await start(context, { tenant: 'acme' });
  const token = await issuer.sign({ sub: 'alice' });
  const ask = async (path: string, headers: Record<string, string>) =>
    (await fetch(gateway.url + path, { headers })).status;
  assert.equal(await ask('/v1/models', { 'x-api-key': token, 'anthropic-version': '2023-06-01' }), 200);
  assert.equal(await ask('/v1beta/models', { 'x-goog-api-key': token }), 200);
  assert.equal(await ask('/admin/v1/calls', { authorization: `Bearer ${token}` }), 401);
});

test('a token is verified once; many at a time fetch the keys once', async (context) => {
  const { issuer, call } = await start(context, { tenant: 'acme' });
  const token = await issuer.sign({ sub: 'alice' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(token)));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(issuer.fetches, 1);
  issuer.broken = 503;
  assert.equal((await call(token)).status, 200);
});

test('what is wrong with a token is said, and it lets nobody in', async (context) => {
  const { issuer, call } = await start(context, { tenant: 'acme', clockTolerance: '0s' });
  const other = await startOidcIssuer();
  context.after(() => other.close());
  const good = await issuer.sign({ sub: 'alice' });
  const [head, claims, signature] = good.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const forged = encode({ iss: issuer.url, aud: 'gateway', sub: 'root', exp: 9_999_999_999 });
  const hour = Math.floor(Date.now() / 1000) + 3600;
  const cases: [string, string, RegExp][] = [
    ['expired', await issuer.sign({ sub: 'a', exp: hour - 7200 }), /has expired/],
    ['never ends', await issuer.sign({ sub: 'a', exp: undefined }), /has no claim 'exp'/],
    ['not yet', await issuer.sign({ sub: 'a', nbf: hour }), /is not valid yet \('nbf'\)/],
    ['audience', await issuer.sign({ sub: 'a', aud: 'elsewhere' }), /another 'aud' than it must have/],
    ['unknown issuer', await other.sign({ sub: 'a' }), /issuer that is not known here/],
    ['another key', await other.sign({ sub: 'a', iss: issuer.url }), /signature that is not right/],
    [
      'unknown key',
      await other.sign({ sub: 'a', iss: issuer.url }, { kid: 'no' }),
      /key that its issuer does not have/,
    ],
    ['changed', `${head}.${forged}.${signature}`, /signature that is not right/],
    ['unsigned', `${encode({ alg: 'none' })}.${forged}.`, /not allowed here|no signed JWT/],
    ['shared secret', `${encode({ alg: 'HS256' })}.${claims}.${signature}`, /not allowed here/],
    ['garbage', 'eyJhbGciOiJFUzI1NiJ9.????.####', /no signed JWT/],
    ['nobody', await issuer.sign({}), /no claim 'sub' with the caller's name/],
    ['no name', await issuer.sign({ sub: 'line\nbreak' }), /no claim 'sub' with the caller's name/],
  ];
  for (const [what, token, message] of cases) {
    const answer = await call(token);
    assert.deepEqual([what, answer.status, answer.code], [what, 401, 'invalid_token']);
    assert.match(answer.message, message, what);
  }
  assert.equal((await call(good)).status, 200);
});

test('a token that was let in is out when it expires', async (context) => {
  const { issuer, call } = await start(context, { tenant: 'acme', clockTolerance: '0s' });
  const token = await issuer.sign({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 2 });
  assert.equal((await call(token)).status, 200);
  for (let waited = 0; waited < 100; waited++) {
    const { status, message } = await call(token);
    if (status === 401) return assert.match(message, /has expired/);
    await sleep(100);
  }
  assert.fail('the token did not expire');
});

test('an issuer rotates its keys, and nobody has to be told', async (context) => {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  const { url } = issuer;
  const made = new TokenIssuer(
    {
      name: 'corp',
      issuer: url,
      audience: ['gateway'],
      algorithms: ['ES256'],
      clockToleranceMs: 0,
      cooldownMs: 20,
    },
    { fetch, now: Date.now, warn: () => {} },
  );
  const old = await issuer.sign({ sub: 'alice' });
  assert.equal((await made.verify(old)).claims.sub, 'alice');
  await issuer.rotate();
  await sleep(30);
  assert.equal((await made.verify(await issuer.sign({ sub: 'bob' }))).claims.sub, 'bob');
  assert.equal((await made.verify(old)).claims.sub, 'alice');
});

test('keys are where the configuration says, where it does', async (context) => {
  const { issuer, call } = await start(context, { tenant: 'acme' }, ({ url }) => ({
    jwksUrl: `${url}/keys`,
  }));
  assert.equal((await call(await issuer.sign({ sub: 'bob' }))).status, 200);
});

test('an issuer that cannot be asked is no fault of the caller: 503, and an alarm in the log', async (context) => {
  const { issuer, gateway, call } = await start(context, { tenant: 'acme' });
  issuer.broken = 500;
  const token = await issuer.sign({ sub: 'alice' });
  for (const _ of [1, 2]) {
    const { status, code } = await call(token);
    assert.deepEqual([status, code], [503, 'issuer_unreachable']);
  }
  assert.equal(gateway.logs().split('issuer_unreachable').length - 1, 1);
  assert.equal((await call(TEST_KEY)).status, 200);
});

test('claims say the tenant: its models, its limits, and no other', async (context) => {
  const { issuer, gateway, call } = await start(context, {
    tenantClaim: 'org.id',
    tenants: { '7f00': 'globex' },
    callerClaim: 'https://claims.example/app',
  });
  const sign = (id: string) => issuer.sign({ org: { id }, 'https://claims.example/app': 'batch job' });
  const token = await sign('7f00');
  assert.deepEqual((await call(token)).status, 403);
  assert.equal((await call(token, { ...BODY, model: 'fast' })).status, 200);
  const models = (await (await gateway.get('/v1/models', token)).json()) as { data: { id: string }[] };
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['fast'],
  );
  for (const id of ['acme', 'globex', 'constructor', '__proto__']) {
    const answer = await call(await sign(id));
    assert.deepEqual([id, answer.status, answer.code], [id, 403, 'unknown_tenant']);
  }
  const records = (await gateway.calls(2)).map(({ tenant, key }) => `${tenant} ${key}`);
  assert.ok(
    records.every((record) => record === 'globex corp:batch job'),
    records.join(),
  );
  // Whoever of the tenant calls: they share its limits.
  assert.equal((await call(await sign('7f00'), { ...BODY, model: 'fast' })).status, 200);
  assert.equal((await call(await sign('7f00'), { ...BODY, model: 'fast' })).status, 429);
});

test('permissions by claims narrow what the tenant may use', async (context) => {
  const { issuer, call } = await start(context, {
    tenant: 'acme',
    permissions: [
      { claim: 'scope', has: 'llm.fast', models: ['fast'] },
      { claim: 'realm_access.roles', has: 'analyst', models: ['echo/*'] },
    ],
  });
  const may = async (claims: object) => {
    const token = await issuer.sign({ sub: 'alice', ...claims });
    const fast = await call(token, { ...BODY, model: 'fast' });
    return [fast.status, (await call(token)).status];
  };
  assert.deepEqual(await may({}), [403, 403]);
  assert.deepEqual(await may({ scope: 'openid llm.fast' }), [200, 403]);
  assert.deepEqual(await may({ realm_access: { roles: ['analyst'] } }), [403, 200]);
  assert.deepEqual(await may({ scope: 'llm.fast', realm_access: { roles: ['x', 'analyst'] } }), [200, 200]);
  assert.deepEqual(await may({ scope: 'llm.faster', roles: ['analyst'] }), [403, 403]);
});

test('tenants that the API makes have callers with tokens at once; one that an issuer names stays', async (context) => {
  const { issuer, gateway, call } = await start(context, { tenantClaim: 'org' }, ({ url }) => ({
    jwksUrl: `${url}/keys`,
  }));
  const admin = adminClient(gateway.url);
  const token = await issuer.sign({ sub: 'alice', org: 'initech' });
  assert.equal((await call(token)).code, 'unknown_tenant');
  await admin.must('POST', '/tenants', { name: 'initech', models: ['*'] });
  assert.equal((await call(token)).status, 200);
  await admin.must('POST', '/tenants/initech/keys', { name: 'app' });
  await admin.must('PATCH', '/tenants/initech', { models: ['fast'] });
  assert.equal((await call(token)).status, 403);
  await admin.must('DELETE', '/tenants/initech');
  assert.equal((await call(token)).code, 'unknown_tenant');
});

test('changes of other tenants leave the tenant of an issuer known', async (context) => {
  const { issuer, gateway, call } = await start(context, { tenant: 'acme' });
  const admin = adminClient(gateway.url);
  const token = await issuer.sign({ sub: 'alice' });
  await admin.must('POST', '/tenants', { name: 'initech', models: ['*'] });
  await admin.must('DELETE', '/tenants/initech');
  assert.equal((await call(token)).status, 200);
});

test('an issuer that is down keeps the keys that it had: nobody else is let in, and nobody waits for it one by one', async (context) => {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  let now = Date.now();
  let asked = 0;
  let answers: typeof fetch = fetch;
  const made = new TokenIssuer(
    {
      name: 'corp',
      issuer: issuer.url,
      audience: ['gateway'],
      jwksUrl: `${issuer.url}/keys`,
      algorithms: ['ES256'],
      clockToleranceMs: 0,
    },
    {
      fetch: (...request) => {
        asked += 1;
        return answers(...request);
      },
      now: () => now,
      warn: () => undefined,
    },
  );
  const exp = Math.floor(now / 1000) + 7 * 86_400;
  const sign = (sub: string) => issuer.sign({ sub, exp });
  await made.verify(await sign('alice'));
  const known = await sign('bob');
  await issuer.rotate();
  const unknown = await sign('carol');
  answers = () => Promise.reject(new TypeError('fetch failed'));
  now += 11 * 60_000;
  const unreachable = { code: 'issuer_unreachable' };
  assert.equal((await made.verify(known)).claims.sub, 'bob');
  for (let call = 0; call < 3; call++) await assert.rejects(made.verify(unknown), unreachable);
  assert.equal((await made.verify(known)).claims.sub, 'bob');
  assert.equal(asked, 2, 'it was asked once more, not by each');
  now += 5_000;
  const hung = Promise.withResolvers<Response>();
  answers = () => hung.promise;
  const waiting = Promise.allSettled([made.verify(known), made.verify(known), made.verify(unknown)]);
  hung.reject(new TypeError('it took too long'));
  assert.deepEqual(
    (await waiting).map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.equal(asked, 3, 'all waited for one');
  now += 5_000;
  const silent = Promise.withResolvers<Response>();
  answers = () => silent.promise;
  assert.equal((await made.verify(known)).claims.sub, 'bob', 'whom the keys let in does not wait for it');
  silent.reject(new TypeError('it took too long'));
  now += 86_400_000;
  await assert.rejects(made.verify(known), unreachable);
  answers = fetch;
  now += 5_000;
  assert.equal((await made.verify(unknown)).claims.sub, 'carol');
});

test('whoever was let in stays in through a change of the configuration while the issuer is down', async (context) => {
  const { issuer, gateway, call } = await start(context, { tenant: 'acme' });
  const token = await issuer.sign({ sub: 'alice' });
  assert.equal((await call(token)).status, 200);
  await issuer.close();
  await adminClient(gateway.url).must('PUT', '/models/other', { targets: ['echo/echo'] });
  assert.equal((await call(token)).status, 200);
});

/** A ring on a virtual clock, and the ring of the configuration after it. */
async function startRings(context: TestContext) {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  const clock = { now: Date.now(), asked: 0 };
  const now = () => clock.now;
  const made = new TokenIssuer(
    {
      name: 'corp',
      issuer: issuer.url,
      audience: ['gateway'],
      jwksUrl: `${issuer.url}/keys`,
      algorithms: ['ES256'],
      clockToleranceMs: 0,
    },
    {
      now,
      warn: () => undefined,
      fetch: (...request) => {
        clock.asked += 1;
        return fetch(...request);
      },
    },
  );
  const ringAfter = (before?: TokenRing<unknown>) =>
    new TokenRing<unknown>([made], (_, { claims }) => claims.sub, now, before);
  const exp = Math.floor(clock.now / 1000) + 365 * 86_400;
  const sign = (sub: string) => issuer.sign({ sub, exp });
  return { issuer, clock, ringAfter, sign };
}

const MINUTE = 60_000;

test('a token is out ten minutes after its issuer took its key back, however long it would be valid', async (context) => {
  const { issuer, clock, ringAfter, sign } = await startRings(context);
  const [early, late] = [await sign('alice'), await sign('eve')];
  const ring = ringAfter();
  await ring.admit(early);
  await issuer.rotate();
  issuer.takeBackEarlier();
  clock.now += 5 * MINUTE;
  await ring.admit(late);
  clock.now += 5 * MINUTE - 1;
  assert.deepEqual([ring.find(early), ring.find(late), clock.asked], ['alice', 'eve', 1]);
  clock.now += 1;
  const other = await sign('bob');
  await ring.admit(other);
  for (const later of [ring, ringAfter(ring)]) {
    for (const token of [early, late]) {
      assert.equal(later.find(token), undefined);
      await assert.rejects(later.admit(token), /signed with a key that its issuer does not have/);
      assert.equal(later.find(token), undefined);
    }
    await later.admit(other);
    assert.equal(later.find(other), 'bob');
  }
  assert.equal(clock.asked, 2, 'all learn from one question');
});

test('whoever was let in stays in for a day in which the issuer cannot be asked, and it is not asked by each call', async (context) => {
  const { issuer, clock, ringAfter, sign } = await startRings(context);
  const token = await sign('alice');
  const ring = ringAfter();
  await ring.admit(token);
  issuer.broken = 503;
  for (let minutes = 10; minutes < 24 * 60; minutes += 200) {
    clock.now += minutes === 10 ? 10 * MINUTE : 200 * MINUTE;
    assert.equal(ring.find(token), undefined);
    await ring.admit(token);
    clock.now += 4_000;
    assert.equal(ring.find(token), 'alice', 'it is known until the issuer is asked again');
    clock.now -= 4_000;
  }
  assert.equal(clock.asked, 1 + 8);
  clock.now += 200 * MINUTE;
  await assert.rejects(ring.admit(token), { code: 'issuer_unreachable' });
  issuer.broken = undefined;
  clock.now += 5_000;
  await ring.admit(token);
  assert.equal(ring.find(token), 'alice');
});

test('what an issuer’s callers may is changed while the issuer is down: who was let in stays in, by the new words', async (context) => {
  const issuer = await startOidcIssuer();
  context.after(() => issuer.close());
  const tenants = { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } };
  const gateway = await startGateway({ models: { fast: { targets: ['echo/echo'] } }, tenants }, fetch);
  context.after(() => gateway.stop());
  const admin = adminClient(gateway.url);
  const corp = { issuer: issuer.url, audience: 'gateway', tenant: 'acme' };
  const configure = (more: object) =>
    admin.must('PUT', '/config', { issuers: { corp: { ...corp, ...more } } });
  const call = async (token: string, model: string) => {
    const answer = await gateway.post(
      '/v1/chat/completions',
      { ...BODY, model },
      { headers: { authorization: `Bearer ${token}` } },
    );
    return answer.status;
  };
  await configure({});
  const token = await issuer.sign({ sub: 'alice', app: 'batch', scope: 'llm' });
  const unnamed = await issuer.sign({ sub: 'alice', scope: 'llm' });
  assert.deepEqual([await call(token, 'echo/echo'), await call(unnamed, 'fast')], [200, 200]);
  issuer.broken = 503;
  const permissions = [{ claim: 'scope', has: 'llm', models: ['fast'] }];
  await configure({ permissions });
  assert.deepEqual([await call(token, 'fast'), await call(token, 'echo/echo')], [200, 403]);
  const unseen = await issuer.sign({ sub: 'bob', scope: 'llm' });
  assert.equal(await call(unseen, 'fast'), 200, 'its keys are kept');
  await configure({ permissions, callerClaim: 'app' });
  assert.deepEqual([await call(token, 'fast'), await call(unnamed, 'fast')], [200, 401]);
  await configure({ permissions, audience: ['gateway', 'other'] });
  assert.equal(await call(token, 'fast'), 503, 'of what is asked of a token nothing is known yet');
  assert.equal(issuer.fetches, 1);
});
