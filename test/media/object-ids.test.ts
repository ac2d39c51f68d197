import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

const BETA_KEY = 'sk-fl-test-key-of-beta-000000000000';
const COMPATIBLE = { adapter: 'openai' };

let one: RawUpstream;
let two: RawUpstream;
let gateway: TestGateway;

/** A server that calls whatever it is given `file-1`. */
function startNaming(words: string): Promise<RawUpstream> {
  return startRawUpstream((response, _body, { method }) => {
    response.setHeader('content-type', 'application/json');
    const deleted = method === 'DELETE' ? { deleted: true } : { filename: words, purpose: 'batch' };
    response.end(JSON.stringify({ id: 'file-1', object: 'file', ...deleted }));
  });
}

before(async () => {
  one = await startNaming('one');
  two = await startNaming('two');
  const at = ({ baseUrl }: RawUpstream) => ({
    ...COMPATIBLE,
    baseUrl,
    accounts: [{ name: 'main', apiKey: 'k' }],
  });
  gateway = await startGateway({
    providers: { one: at(one), two: at(two) },
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
      beta: { models: ['*'], keys: [{ name: 'app', secret: BETA_KEY }] },
    },
  });
});

after(async () => {
  await gateway.stop();
  await one.close();
  await two.close();
});

async function upload(provider: string, key: string): Promise<Response> {
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob(['{}']), 'a.jsonl');
  return fetch(`${gateway.url}/v1/files?provider=${provider}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: form,
  });
}

async function nameOf(key: string): Promise<unknown> {
  const answer = (await (await gateway.get('/v1/files/file-1', key)).json()) as { filename?: string };
  return answer.filename;
}

test('the same id at two providers is two files, each its maker’s', async () => {
  assert.equal((await upload('one', TEST_KEY)).status, 200);
  assert.equal((await upload('two', BETA_KEY)).status, 200);
  assert.equal(await nameOf(TEST_KEY), 'one');
  assert.equal(await nameOf(BETA_KEY), 'two');
});

test('a file whose id another tenant has at the same account is not said to be kept', async () => {
  const response = await upload('one', BETA_KEY);
  assert.equal(response.status, 502);
  assert.equal(await nameOf(TEST_KEY), 'one');
});

test('of two that a tenant has by one id, the one that was made last is meant; deleting it leaves the other', async () => {
  assert.equal((await upload('one', TEST_KEY)).status, 200);
  assert.equal((await gateway.get('/v1/files/file-1')).status, 200);
  const deleted = await fetch(`${gateway.url}/v1/files/file-1`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${BETA_KEY}` },
  });
  assert.equal(deleted.status, 200);
  assert.equal((await upload('two', TEST_KEY)).status, 200);
  assert.equal(await nameOf(TEST_KEY), 'two');
  await fetch(`${gateway.url}/v1/files/file-1`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  assert.equal(await nameOf(TEST_KEY), 'one');
});
