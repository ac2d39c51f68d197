import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { startOidcIssuer } from '../support/oidc-issuer.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

const BOUND_KEY = 'sk-fl-bound-key-of-acme-00000000000';

const WORDS_KEY = 'sk-fl-words-key-of-acme-00000000000';

const issuer = await startOidcIssuer();
after(() => issuer.close());
const text = '---\nmodel: echo/a\n---\nSay {{word}}.\n';
const gateway = await startPrompts(
  {
    ...{ 'open.prompt': text, 'closed.prompt': text, 'lent.prompt': text },
    ...{ 'team/one.prompt': text, 'team/two.prompt': text },
    ...{ 'two words.prompt': text, 'more words.prompt': text, 'three more words.prompt': text },
  },
  {
    tenants: {
      acme: {
        ...{ models: [], prompts: ['open', 'two words'] },
        grants: [
          { model: 'prompt/lent', until: '2099-01-01' },
          { model: '*' },
          { model: 'prompt/more words', until: '2099-01-01' },
        ],
        keys: [
          { name: 'app', secret: TEST_KEY },
          { name: 'bound', secret: BOUND_KEY, models: [], prompts: ['open'] },
          { name: 'words', secret: WORDS_KEY, models: [], prompts: ['two words', 'more words'] },
        ],
      },
    },
    issuers: {
      corp: {
        ...{ issuer: issuer.url, audience: 'gateway', tenant: 'acme' },
        permissions: [
          { claim: 'roles', has: 'models', models: ['*'] },
          { claim: 'roles', has: 'lent', models: [], prompts: ['lent'] },
        ],
      },
    },
  },
  fetch,
);
after(gateway.stop);
const admin = adminClient(gateway.url);

async function post(path: string, body: object, key = TEST_KEY) {
  const answer = await gateway.post(path, body, { headers: { authorization: `Bearer ${key}` } });
  const said = await answer.text();
  return { status: answer.status, said, body: said.startsWith('{') ? JSON.parse(said) : {} };
}

const call = async (name: string, key = TEST_KEY) =>
  (await post(`/v1/prompts/${name}`, { word: 'x' }, key)).status;
const ask = (model: string, key = TEST_KEY) => post('/v1/access-requests', { model, reason: 'a trial' }, key);

test('a prompt is asked for as what names it as a model, and granted as a model is', async () => {
  const refused = await post('/v1/prompts/closed', {});
  assert.equal(refused.status, 404);
  assert.match(refused.said, /POST \/v1\/access-requests with \{\\"model\\":\\"prompt\/closed\\"/);
  const asked = await ask('prompt/closed');
  assert.deepEqual([asked.status, asked.body.model], [201, 'prompt/closed']);
  await admin.must('POST', `/access-requests/${asked.body.id}/approve`, { for: '1h' });
  assert.equal(await call('closed'), 200);
  assert.equal(await call('closed@1'), 200);
  const asModel = { model: 'prompt/closed', messages: [], metadata: { word: 'x' } };
  assert.equal((await post('/v1/chat/completions', asModel)).status, 200);
  for (const path of ['/v1/prompts', '/v1/models', '/openapi.json'])
    assert.match(await (await gateway.get(path)).text(), /\bclosed\b/, path);
  await admin.must('DELETE', '/tenants/acme/grants/prompt%2Fclosed');
  assert.equal(await call('closed'), 404);
});

test('an operator grants without a request, by patterns, too; what is granted of all models is no prompt', async () => {
  assert.equal(await call('team/one'), 404);
  await admin.must('PUT', '/tenants/acme/grants/prompt%2Fteam%2F*', {});
  assert.deepEqual([await call('team/one'), await call('team/two'), await call('closed')], [200, 200, 404]);
  const slip = await admin.ask('PUT', '/tenants/acme/grants/prompt%2Fteem', {});
  assert.deepEqual([slip.status, slip.body.error?.code], [400, 'unknown_prompt']);
  assert.equal(await call('lent'), 200, 'the file grants as well');
});

test('what is allowed already, a version, and a key that is limited to its own prompts', async () => {
  assert.equal((await ask('prompt/open')).body.error.code, 'already_allowed');
  assert.equal((await ask('prompt/closed@2')).status, 400);
  assert.equal((await ask('prompt/lent', BOUND_KEY)).body.error.code, 'key_is_limited');
  const refused = await post('/v1/prompts/lent', {}, BOUND_KEY);
  assert.equal(refused.status, 404);
  assert.match(refused.said, /limited to prompts of its own/);
  assert.equal((await ask('prompt/there-is-none')).status, 201, 'it is not told which there are');
});

test('a prompt whose name has blanks is permitted, granted and asked for by it', async () => {
  const calls = async (key: string) =>
    Promise.all(['two%20words', 'more%20words', 'three%20more%20words', 'open'].map((one) => call(one, key)));
  assert.deepEqual(await calls(WORDS_KEY), [200, 200, 404, 404]);
  assert.deepEqual(await calls(TEST_KEY), [200, 200, 404, 200]);
  const asked = await ask('prompt/three more words');
  assert.equal(asked.status, 201, asked.said);
  const listed = await admin.must('GET', '/access-requests?model=prompt%2Fthree%20more%20words');
  assert.equal((listed.body['data'] as object[]).length, 1);
  await admin.must('POST', `/access-requests/${asked.body.id}/approve`, { for: '1h' });
  assert.deepEqual(await calls(TEST_KEY), [200, 200, 200, 200]);
  await admin.must('DELETE', '/tenants/acme/grants/prompt%2Fthree%20more%20words');
  await admin.must('PUT', '/tenants/acme/grants/prompt%2Fthree%20more%20words', { for: '1h' });
  assert.deepEqual(await calls(TEST_KEY), [200, 200, 200, 200]);
});

test('only within the name of a prompt are there blanks', async () => {
  for (const model of [
    'a model',
    'prompt/ two',
    'prompt/two ',
    ' prompt/two',
    'prompt/',
    `prompt/${'a '.repeat(200)}b`,
  ])
    assert.equal((await ask(model)).status, model === 'prompt/' ? 201 : 400, model);
});

test('claims of a token permit prompts as they permit models', async () => {
  const [all, some] = [
    await issuer.sign({ sub: 'alice', roles: ['models'] }),
    await issuer.sign({ sub: 'bob', roles: ['lent'] }),
  ];
  assert.deepEqual([await call('lent', all), await call('lent', some)], [404, 200]);
  assert.equal(await call('open', some), 404);
  assert.equal((await ask('prompt/closed', some)).body.error.code, 'key_is_limited');
});
