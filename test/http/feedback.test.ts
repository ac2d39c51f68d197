import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

const KEYS = {
  acme: 'sk-fl-key-of-acme-00000000000000000',
  acmeToo: 'sk-fl-key-of-acme-too-0000000000000',
  other: 'sk-fl-key-of-other-0000000000000000',
  viewer: 'sk-fl-admin-key-of-viewer-00000000',
};

const CONFIG = {
  models: { smart: { targets: ['echo/old'] } },
  adminKeys: { look: { role: 'viewer', secret: KEYS.viewer } },
  tenants: {
    acme: {
      models: ['*'],
      keys: [
        { name: 'app', secret: KEYS.acme },
        { name: 'too', secret: KEYS.acmeToo },
      ],
    },
    other: { models: ['*'], keys: [{ name: 'app', secret: KEYS.other }] },
  },
};

async function start(context: TestContext, config: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({ ...CONFIG, ...config });
  context.after(() => gateway.stop());
  return gateway;
}

function send({ url }: TestGateway, path: string, body: unknown, key = KEYS.acme): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Calls a model; gives the id of the call. */
async function call(gateway: TestGateway, user = 'u', key = KEYS.acme): Promise<string> {
  const body = { model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] };
  const answer = await send(gateway, '/v1/chat/completions', body, key);
  assert.equal(answer.status, 200, await answer.text());
  return answer.headers.get('x-request-id') ?? assert.fail('no id');
}

interface Told {
  status: number;
  body: Record<string, unknown> & { error?: { message: string; code: string | null; param: string | null } };
}

async function score(gateway: TestGateway, body: unknown, key?: string): Promise<Told> {
  const answer = await send(gateway, '/v1/feedback', body, key);
  return { status: answer.status, body: (await answer.json()) as Told['body'] };
}

interface Said {
  name: string;
  score: number;
  comment?: string | null;
}

async function feedbackOn({ url }: TestGateway, id: string, key?: string): Promise<Said[]> {
  const { body } = await adminClient(url, key).must('GET', `/calls/${id}`);
  return body['feedback'] as unknown as Said[];
}

onEachDatabaseInTurn((database) => {
  test('a tenant scores the answer to its call as soon as it has it, and a later score takes its place', async (context) => {
    const gateway = await start(context, { store: await database.makeUrl(context) });
    const id = await call(gateway);
    const first = await score(gateway, { call: id, score: 0.25, comment: 'too long' });
    assert.equal(first.status, 201, JSON.stringify(first.body));
    const { createdAt, updatedAt, ...rest } = first.body;
    assert.deepEqual(rest, { call: id, name: 'score', score: 0.25, comment: 'too long', key: 'app' });
    assert.equal(createdAt, updatedAt);
    await sleep(5);
    const again = await score(gateway, { call: id, score: 1 }, KEYS.acmeToo);
    assert.equal(again.status, 200);
    assert.deepEqual(
      [again.body['score'], again.body['comment'], again.body['key'], again.body['createdAt']],
      [1, null, 'too', createdAt],
    );
    assert.ok(String(again.body['updatedAt']) > String(createdAt));
    assert.equal((await score(gateway, { call: id, score: true, name: 'solved' })).body['score'], 1);
    assert.equal((await score(gateway, { call: id, score: false, name: 'polite' })).body['score'], 0);
    const said = (await feedbackOn(gateway, id)).map(({ name, score: value }) => [name, value]);
    assert.deepEqual(
      new Map(said as [string, number][]),
      new Map([
        ['score', 1],
        ['solved', 1],
        ['polite', 0],
      ]),
    );
  });
});

test('only its own tenant can, and nobody learns of the calls of others', async (context) => {
  const gateway = await start(context);
  const id = await call(gateway);
  const refused = await score(gateway, { call: id, score: 1 }, KEYS.other);
  const unknown = await score(gateway, { call: `${id.slice(0, -1)}${id.endsWith('0') ? 1 : 0}`, score: 1 });
  const none = await score(gateway, { call: 'anything', score: 1 });
  for (const { status, body } of [refused, unknown, none]) {
    assert.equal(status, 404);
    assert.deepEqual([body.error?.code, body.error?.param], ['call_not_found', 'call']);
  }
  assert.equal(refused.body.error?.message.replace(id, ''), none.body.error?.message.replace('anything', ''));
  assert.deepEqual(await feedbackOn(gateway, id), []);
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEYS.other, maxRetries: 0 });
  const post = (body: object) => client.post('/feedback', { body });
  await assert.rejects(post({ call: id, score: 1 }), NotFoundError);
  await assert.rejects(post({ call: id, score: 2 }), (error) => {
    assert.ok(error instanceof BadRequestError);
    assert.match(error.message, /expected a number from 0, the worst, to 1, or true or false/);
    return true;
  });
  const stranger = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'sk-nobody', maxRetries: 0 });
  await assert.rejects(stranger.post('/feedback', { body: {} }), AuthenticationError);
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: KEYS.other, maxRetries: 0 });
  await assert.rejects(
    anthropic.post('/v1/feedback', { body: { call: id, score: 1 } }),
    Anthropic.NotFoundError,
  );
});

test('a tenant of a name that was another’s before does not score its calls', async (context) => {
  const gateway = await start(context);
  const admin = adminClient(gateway.url);
  const begin = async () => {
    await admin.must('PUT', '/tenants/passing', { models: ['*'] });
    const { body } = await admin.must('POST', '/tenants/passing/keys', { name: 'app' });
    return String(body['secret']);
  };
  const first = await begin();
  const id = await call(gateway, 'u', first);
  assert.equal((await score(gateway, { call: id, score: 1 }, first)).status, 201);
  await admin.must('DELETE', '/tenants/passing');
  await sleep(5);
  const second = await begin();
  assert.equal((await score(gateway, { call: id, score: 0 }, second)).status, 404);
  const own = await call(gateway, 'u', second);
  assert.equal((await score(gateway, { call: own, score: 1 }, second)).status, 201);
});

test('what is said is bounded', async (context) => {
  const gateway = await start(context);
  const id = await call(gateway);
  const wrong: [body: unknown, param: string][] = [
    [{ score: 1 }, 'call'],
    [{ call: 7, score: 1 }, 'call'],
    [{ call: id }, 'score'],
    [{ call: id, score: 1.1 }, 'score'],
    [{ call: id, score: -0.1 }, 'score'],
    [{ call: id, score: '1' }, 'score'],
    [`{"call":"${id}","score":1e999}`, 'score'],
    [{ call: id, score: 1, name: '' }, 'name'],
    [{ call: id, score: 1, name: 'a b' }, 'name'],
    [{ call: id, score: 1, name: 'a'.repeat(65) }, 'name'],
    [{ call: id, score: 1, comment: 'a'.repeat(2_001) }, 'comment'],
    [{ call: id, score: 1, comment: 'a\0' }, 'comment'],
    [{ call: id, score: 1, stars: 5 }, 'stars'],
  ];
  for (const [body, param] of wrong) {
    const told = await score(gateway, body);
    assert.deepEqual([told.status, told.body.error?.param], [400, param], JSON.stringify(body));
  }
  assert.equal((await score(gateway, '')).status, 400);
  for (let name = 0; name < 20; name++)
    assert.equal((await score(gateway, { call: id, score: 1, name: `n${name}` })).status, 201);
  assert.equal(
    (await score(gateway, { call: id, score: 1, name: 'n20' })).body.error?.code,
    'too_many_scores',
  );
  assert.equal((await score(gateway, { call: id, score: 0, name: 'n19' })).status, 200);
});

test('viewers see scores, not the comments', async (context) => {
  const gateway = await start(context);
  const id = await call(gateway);
  await score(gateway, { call: id, score: 1, comment: 'It told me of the merger.' });
  assert.equal((await feedbackOn(gateway, id))[0]?.comment, 'It told me of the merger.');
  const [seen] = await feedbackOn(gateway, id, KEYS.viewer);
  assert.deepEqual([seen?.score, seen && 'comment' in seen], [1, false]);
});

test('the door is in the OpenAPI description', async (context) => {
  const gateway = await start(context);
  const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
    paths: Record<string, { post?: { security: unknown; requestBody: { content: object } } }>;
  };
  const post = paths['/v1/feedback']?.post;
  assert.deepEqual(post?.security, [{ tenantKey: [] }]);
  assert.match(JSON.stringify(post?.requestBody), /"required":\["call","score"\]/);
});
