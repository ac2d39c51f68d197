import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic, { NotFoundError as AnthropicNotFound } from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI, {
  APIError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  toFile,
} from 'openai';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const [openai, second] = await Promise.all([startFakeOpenAi(), startFakeOpenAi()]);
const describe = ({ url, apiKey }: { url: string; apiKey: string }) => ({
  baseUrl: url,
  accounts: [{ name: 'main', apiKey }],
});
const KEYS = {
  acme: TEST_KEY,
  other: 'sk-fl-key-of-another-tenant-0000000',
  limited: 'sk-fl-limited-key-00000000000000000',
};
const tenant = (secret: string, models: string[]) => ({ models, keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: { openai: describe(openai) },
  tenants: {
    acme: tenant(KEYS.acme, ['*']),
    other: tenant(KEYS.other, ['openai/*']),
    limited: tenant(KEYS.limited, ['openai/gpt-4.1']),
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai.close(), second.close()]);
});
const clientOf = (apiKey: string, url = gateway.url) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const acme = clientOf(KEYS.acme);
const other = clientOf(KEYS.other);

const LINES = `${JSON.stringify({
  custom_id: '1',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'gpt-4.1', messages: [{ role: 'user', content: 'Hi' }] },
})}\n`;
const lines = () => toFile(Buffer.from(LINES), 'lines.jsonl');
const BATCH = { endpoint: '/v1/chat/completions', completion_window: '24h' } as const;

async function idsOf(pages: AsyncIterable<{ id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of pages) ids.push(id);
  return ids;
}

test('a file is kept, found, read, listed and deleted', async () => {
  const file = await acme.files.create({ file: await lines(), purpose: 'batch' });
  assert.equal(file.bytes, LINES.length);
  assert.deepEqual(await acme.files.retrieve(file.id), file);
  assert.equal(await (await acme.files.content(file.id)).text(), LINES);
  assert.deepEqual(await idsOf(acme.files.list()), [file.id]);
  assert.deepEqual(await idsOf(acme.files.list({ purpose: 'batch' })), [file.id]);
  assert.deepEqual(await idsOf(acme.files.list({ purpose: 'vision' })), []);
  assert.equal((await acme.files.delete(file.id)).deleted, true);
  await assert.rejects(acme.files.retrieve(file.id), NotFoundError);
  assert.deepEqual(await idsOf(acme.files.list()), []);
  const records = await gateway.calls(9);
  assert.deepEqual(
    records
      .map(({ operation, outcome, usage, costMicroUsd }) => [operation, outcome, usage, costMicroUsd])
      .slice(2),
    Array.from({ length: 7 }, () => ['file', 'ok', null, 0]),
  );
  assert.equal(records.at(-1)?.target, 'openai/files');
});

test('a file that is larger than what is kept of it arrives whole', async () => {
  const content = Buffer.alloc(3_000_000, 'line of a file\n');
  const file = await acme.files.create({ file: await toFile(content, 'a.txt'), purpose: 'user_data' });
  assert.equal(file.bytes, content.length);
  assert.ok(Buffer.from(await (await acme.files.content(file.id)).arrayBuffer()).equals(content));
  await acme.files.delete(file.id);
});

test('a batch is made of a file, followed, cancelled; what it wrote is its tenant’s', async () => {
  const input = await acme.files.create({ file: await lines(), purpose: 'batch' });
  const batch = await acme.batches.create({ input_file_id: input.id, ...BATCH });
  assert.equal(batch.status, 'validating');
  const done = await acme.batches.retrieve(batch.id);
  assert.equal(done.status, 'completed');
  const output = done.output_file_id ?? '';
  assert.match(
    await (await acme.files.content(output)).text(),
    /^\{"id":"batch_req_0","custom_id":"1",.*\}\n$/,
  );
  await assert.rejects(other.files.content(output), NotFoundError);
  assert.deepEqual(await idsOf(acme.batches.list()), [batch.id]);
  assert.equal((await acme.batches.list()).data[0]?.status, 'completed');
  assert.equal((await acme.batches.cancel(batch.id)).status, 'cancelling');
});

test('pages follow one another, from either end', async () => {
  const own = clientOf(KEYS.other);
  const made: string[] = [];
  for (let count = 0; count < 5; count++) {
    made.push((await own.files.create({ file: await lines(), purpose: 'batch' })).id);
  }
  assert.deepEqual(await idsOf(own.files.list({ limit: 2, order: 'asc' })), made);
  assert.deepEqual(await idsOf(own.files.list({ limit: 2 })), made.toReversed());
  await assert.rejects(own.files.list({ limit: 0 }), BadRequestError);
});

test('no tenant sees what another one has: the answer is that for an id that nobody has', async () => {
  const file = await acme.files.create({ file: await lines(), purpose: 'batch' });
  const batch = await acme.batches.create({ input_file_id: file.id, ...BATCH });
  const before = openai.requests.length;
  const tries: [what: string, call: (client: OpenAI, id: string) => Promise<unknown>, id: string][] = [
    ['retrieve a file', (client, id) => client.files.retrieve(id), file.id],
    ['read a file', (client, id) => client.files.content(id), file.id],
    ['delete a file', (client, id) => client.files.delete(id), file.id],
    ['list behind a file', (client, id) => client.files.list({ after: id }), file.id],
    [
      'make a batch of a file',
      (client, id) => client.batches.create({ input_file_id: id, ...BATCH }),
      file.id,
    ],
    ['retrieve a batch', (client, id) => client.batches.retrieve(id), batch.id],
    ['cancel a batch', (client, id) => client.batches.cancel(id), batch.id],
    ['list behind a batch', (client, id) => client.batches.list({ after: id }), batch.id],
    // An id of the other kind is as unknown.
    ['retrieve a batch as a file', (client, id) => client.files.retrieve(id), batch.id],
  ];
  const refusal = async (call: Promise<unknown>, id: string) => {
    const error = await call.then(
      () => assert.fail('it was answered'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof APIError);
    return {
      status: error.status,
      message: error.message.replaceAll(id, 'ID'),
      code: error.code,
      param: error.param,
    };
  };
  for (const [what, call, id] of tries) {
    const [theirs, nobodys] = [
      await refusal(call(other, id), id),
      await refusal(call(other, 'file-none'), 'file-none'),
    ];
    assert.deepEqual(theirs, nobodys, what);
    assert.equal(theirs.status, 404, what);
  }
  assert.equal(openai.requests.length, before, 'the provider was asked');
  assert.ok(!(await idsOf(other.files.list())).includes(file.id));
  assert.deepEqual(await idsOf(other.batches.list()), []);
  assert.equal((await acme.files.retrieve(file.id)).id, file.id);
});

test('ids that would lead elsewhere lead nowhere', async () => {
  const before = openai.requests.length;
  for (const path of ['/v1/files/..%2fmodels', '/v1/files/%2e%2e', '/v1/batches/x%2fcancel']) {
    assert.equal((await gateway.get(path)).status, 404, path);
  }
  assert.equal(openai.requests.length, before);
});

test('whoever may not call every model of a provider keeps nothing there: the lines of a batch name any of them', async () => {
  const limited = clientOf(KEYS.limited);
  await assert.rejects(
    limited.files.create({ file: await lines(), purpose: 'batch' }),
    (error) => error instanceof PermissionDeniedError && /'openai\/\*'/.test(error.message),
  );
});

test('failures of the provider are told, and bind nothing', async () => {
  const own = clientOf(KEYS.acme);
  const had = await idsOf(own.files.list());
  for (const script of ['fail 500', 'truncated json']) {
    openai.setBehaviour(script, 1);
    await assert.rejects(own.files.create({ file: await lines(), purpose: 'batch' }), InternalServerError);
  }
  await assert.rejects(
    own.files.create({ file: await lines(), purpose: 'wrong' as 'batch' }),
    BadRequestError,
  );
  assert.deepEqual(await idsOf(own.files.list()), had);
  const notForm = await gateway.post('/v1/files', { purpose: 'batch' });
  assert.equal(notForm.status, 400);
  for (const body of ['', '{}', '{"input_file_id":7}', '[]']) {
    assert.equal((await gateway.post('/v1/batches', body)).status, 400, body);
  }
});

test('with several providers the caller names one, or is asked to; what is kept stays with its account', async () => {
  const own = await startGateway({
    providers: {
      openai: describe(openai),
      second: { adapter: 'openai-compatible', ...describe(second) },
      anthropic: { accounts: [{ name: 'main', apiKey: 'sk-ant-0000000000' }] },
    },
  });
  try {
    const client = clientOf(TEST_KEY, own.url);
    const upload = async (
      options: { headers?: Record<string, string>; query?: Record<string, string> } = {},
    ) => client.files.create({ file: await lines(), purpose: 'batch' }, options);
    await assert.rejects(
      upload(),
      (error) =>
        error instanceof BadRequestError && /x-fairlead-provider.*openai, second/.test(error.message),
    );
    await assert.rejects(upload({ query: { provider: 'anthropic' } }), BadRequestError);
    const before = second.requests.length;
    const file = await upload({ headers: { 'x-fairlead-provider': 'second' } });
    await upload({ query: { provider: 'openai' } });
    await client.files.retrieve(file.id);
    await client.batches.create({ input_file_id: file.id, ...BATCH });
    assert.equal(second.requests.length - before, 3);
  } finally {
    await own.stop();
  }
  const none = await startGateway();
  try {
    const answer = clientOf(TEST_KEY, none.url).files.create({ file: await lines(), purpose: 'batch' });
    await assert.rejects(
      answer,
      (error) => error instanceof BadRequestError && error.code === 'no_file_provider',
    );
  } finally {
    await none.stop();
  }
});

test("Anthropic's clients are told that their files are not served: no other vendor gets them", async () => {
  const before = openai.requests.length;
  for (const credential of [{ apiKey: KEYS.acme }, { apiKey: null, authToken: KEYS.acme }]) {
    const client = new Anthropic({ ...credential, baseURL: gateway.url, maxRetries: 0 });
    for (const ask of [
      async () => client.beta.files.upload({ file: await toFile(Buffer.from('private'), 'a.txt') }),
      async () => client.beta.files.list(),
      async () => client.beta.files.retrieveMetadata('file_1'),
      async () => client.beta.files.delete('file_1'),
      async () => client.messages.batches.list(),
    ]) {
      await assert.rejects(ask, (error) => {
        assert.ok(error instanceof AnthropicNotFound, String(error));
        assert.match(JSON.stringify(error.error), /"type":"not_found_error"/);
        return true;
      });
    }
  }
  assert.equal(openai.requests.length, before);
});

test("Google's clients are told so, too, in their own form", async () => {
  const before = openai.requests.length;
  const httpOptions = { baseUrl: gateway.url, apiVersion: 'v1' };
  const client = new GoogleGenAI({ apiKey: KEYS.acme, httpOptions });
  for (const ask of [
    () => client.files.list(),
    () => client.files.get({ name: 'files/1' }),
    () => client.files.delete({ name: 'files/1' }),
  ]) {
    await assert.rejects(ask, (error) => {
      assert.ok(error instanceof ApiError, String(error));
      assert.equal(error.status, 404);
      assert.match(error.message, /Google's files and batches are not served here.*"NOT_FOUND"/s);
      return true;
    });
  }
  const answer = await fetch(`${gateway.url}/v1/batches?key=${KEYS.acme}`);
  assert.equal(answer.status, 404);
  assert.equal(openai.requests.length, before);
});

test('a file that says no purpose and is no batch is refused for that', async () => {
  const form = new FormData();
  form.append('file', new Blob(['plain text']), 'a.txt');
  const headers = { authorization: `Bearer ${KEYS.acme}` };
  const response = await fetch(`${gateway.url}/v1/files`, { method: 'POST', headers, body: form });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { message: string; param: string } };
  assert.equal(error.param, 'purpose');
  assert.match(error.message, /'purpose' is missing/);
});
