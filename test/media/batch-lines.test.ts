import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isObject, tryParseJson } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const openai = await startFakeOpenAi();
const OTHER = 'sk-fl-key-of-another-tenant-0000000';
const gateway = await startGateway({
  providers: { openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] } },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    other: { models: ['*'], keys: [{ name: 'app', secret: OTHER }] },
  },
});
after(async () => {
  await gateway.stop();
  await openai.close();
});

const BOUNDARY = 'a-boundary';
const field = (name: string, value: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (content: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n${content}\r\n`;
const END = `--${BOUNDARY}--\r\n`;
const FORMS: Record<string, (content: string, purpose: string) => string> = {
  'with the purpose before the file': (content, purpose) => field('purpose', purpose) + file(content) + END,
  'with the purpose behind the file': (content, purpose) => file(content) + field('purpose', purpose) + END,
};
const [PLAIN = () => ''] = Object.values(FORMS);

/** `piece`: how many bytes are sent at a time. */
async function send(key: string, form: string, piece = 65_536) {
  const bytes = Buffer.from(form);
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) =>
    bytes.subarray(at * piece, (at + 1) * piece),
  );
  const response = await fetch(`${gateway.url}/v1/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    },
    body: ReadableStream.from(pieces),
    duplex: 'half',
  });
  const text = await response.text();
  const told = tryParseJson(text);
  assert.ok(isObject(told), text);
  return { status: response.status, text, id: String(told['id']), error: told['error'] };
}

const line = (body: object, url = '/v1/chat/completions') =>
  JSON.stringify({ custom_id: '1', method: 'POST', url, body: { model: 'gpt-4.1', ...body } });
const HARMLESS = line({ messages: [{ role: 'user', content: 'Hi' }] });
const withFile = (id: string) =>
  line({ messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: id } }] }] });
const respond = (body: object) => line(body, '/v1/responses');

async function keep(key: string, content = 'x', purpose = 'user_data') {
  const { status, text, id } = await send(key, PLAIN(content, purpose));
  assert.equal(status, 200, text);
  return id;
}
const makeBatch = (key: string, id: string) =>
  gateway.post(
    '/v1/batches',
    { input_file_id: id, endpoint: '/v1/chat/completions', completion_window: '24h' },
    { headers: { authorization: `Bearer ${key}` } },
  );
const keptAtProvider = () => openai.requests.filter(({ path }) => path === '/v1/files').length;

/** Not one of its lines reaches anybody who would work on it. */
async function assertRefused(content: string, status: number, expected: RegExp): Promise<void> {
  for (const [how, form] of Object.entries(FORMS)) {
    for (const piece of [65_536, 7]) {
      if (piece === 7 && content.length > 10_000) continue;
      const before = keptAtProvider();
      const answer = await send(OTHER, form(content, 'batch'), piece);
      assert.equal(answer.status, status, `${how}: ${answer.text}`);
      assert.match(answer.text, expected);
      assert.equal(keptAtProvider(), before, `${how}: the provider has a whole file`);
    }
  }
}

describe('the lines of a batch', () => {
  test('can name what their tenant uploaded, and what the gateway never saw', async () => {
    const own = await keep(OTHER);
    for (const form of Object.values(FORMS)) {
      const content = `${HARMLESS}\n\n${withFile(own)}\r\n${withFile('file-never-seen')}`;
      const { status, text, id } = await send(OTHER, form(content, 'batch'), 50);
      assert.equal(status, 200, text);
      const batch = await makeBatch(OTHER, id);
      assert.equal(batch.status, 200, await batch.text());
    }
  });

  test('cannot name a file of another tenant, wherever it stands', async () => {
    const theirs = await keep(TEST_KEY);
    await assertRefused(
      `${HARMLESS}\n${withFile(theirs)}\n`,
      404,
      /line 2: body\.messages\[0\]\.content\[0\]/,
    );
    await assertRefused(
      respond({ input: [{ content: [{ type: 'input_file', file_id: theirs }] }] }),
      404,
      /No such|not found/,
    );
    const many = `${HARMLESS}\n`.repeat(20_000);
    await assertRefused(`${many}${withFile(theirs)}`, 404, /line 20001/);
  });

  test('cannot name what only answers to their tenant have', async () => {
    await assertRefused(respond({ input: 'x', previous_response_id: 'resp_x' }), 400, /Line 1.*resp_x/);
    await assertRefused(respond({ input: [{ type: 'item_reference', id: 'msg_x' }] }), 404, /msg_x/);
    await assertRefused(
      line({ messages: [{ role: 'assistant', audio: { id: 'audio_x' } }] }),
      404,
      /audio_x/,
    );
  });

  test('are looked into whatever URL they say: the batch may be for another', async () => {
    const theirs = await keep(TEST_KEY);
    const file = { type: 'input_file', file_id: theirs };
    await assertRefused(line({ input: [{ content: [file] }] }), 404, /input\[0\]\.content\[0\]/);
    await assertRefused(line({ input: 'x', previous_response_id: 'resp_x' }), 400, /resp_x/);
    await assertRefused(
      respond({ messages: [{ role: 'assistant', audio: { id: 'audio_x' } }] }),
      404,
      /audio_x/,
    );
    const { status, text } = await send(OTHER, PLAIN(line({ prompt: 'Hi' }, '/v1/completions'), 'batch'));
    assert.equal(status, 200, text);
  });

  test('can go on from a response that their tenant has there, and no other’s can', async () => {
    const made = await gateway.post(
      '/v1/responses',
      { model: 'openai/gpt-4.1', input: 'say ok' },
      { headers: { authorization: `Bearer ${TEST_KEY}` } },
    );
    const answer: unknown = await made.json();
    assert.ok(isObject(answer) && made.status === 200);
    const content = respond({ input: 'x', previous_response_id: String(answer['id']) });
    assert.equal((await send(TEST_KEY, PLAIN(content, 'batch'))).status, 200);
    await assertRefused(content, 400, /previous_response_not_found/);
  });

  test('make a container theirs that nobody has', async () => {
    const content = respond({ input: 'x', tools: [{ type: 'code_interpreter', container: 'cntr_new' }] });
    assert.equal((await send(TEST_KEY, PLAIN(content, 'batch'))).status, 200);
    await assertRefused(content, 404, /cntr_new/);
  });

  test('are refused where they are no JSON, or two readers could find different ids in them', async () => {
    const theirs = await keep(TEST_KEY);
    for (const broken of [
      'no JSON',
      `${HARMLESS}${HARMLESS}`,
      HARMLESS.replace('"body"', 'body'),
      `${HARMLESS.slice(0, -1)},"body":{}}`,
      withFile(theirs).replace('file_id', 'file\\u005fid').replace('"file_id', '"\\u0066ile_id'),
      withFile(theirs).replace('"file_id":', '"file_id":"file-x","file_id":'),
      withFile(theirs).replace('"file_id":', '"fil\\u0065_id":'),
      withFile(theirs).replace('"body"', '"Body"'),
    ]) {
      await assertRefused(`${HARMLESS}\n${broken}\n`, 400, /Line 2/);
    }
  });

  test('are no matter in files for other purposes, of which no batch can be made', async () => {
    const theirs = await keep(TEST_KEY);
    for (const form of Object.values(FORMS)) {
      for (const content of [withFile(theirs), 'no JSON at all\n', '\u0000'.repeat(100_000)]) {
        const { status, text, id } = await send(OTHER, form(content, 'user_data'));
        assert.equal(status, 200, text);
        const before = openai.requests.length;
        const batch = await makeBatch(OTHER, id);
        assert.equal(batch.status, 400);
        assert.match(await batch.text(), /invalid_purpose/);
        assert.equal(openai.requests.length, before);
      }
    }
  });
});
