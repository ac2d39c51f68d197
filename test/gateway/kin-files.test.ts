import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { isObject } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/** Files reach servers of OpenAI's kin in the form that these take. */
const PDF = Buffer.from('%PDF-1.4 fake').toString('base64');
const PDF_URL = `data:application/pdf;base64,${PDF}`;

const mistral = await startFakeOpenAi({ kin: 'mistral', models: ['mistral-medium-latest', 'voxtral-audio'] });
const cohere = await startFakeOpenAi({ kin: 'cohere', models: ['command-a-03-2025'] });
const gateway = await startGateway({
  providers: {
    mistral: { baseUrl: mistral.url, accounts: [{ name: 'main', apiKey: mistral.apiKey }] },
    cohere: { baseUrl: cohere.url, accounts: [{ name: 'main', apiKey: cohere.apiKey }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([mistral.close(), cohere.close()]);
});

const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
const MISTRAL = 'mistral/mistral-medium-latest';
const COHERE = 'cohere/command-a-03-2025';

const askChat = (model: string, part: OpenAI.ChatCompletionContentPart) =>
  openai.chat.completions.create({
    model,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Read it.' }, part] }],
  });

const askMessages = (model: string, source: Anthropic.DocumentBlockParam['source']) =>
  anthropic.messages.create({
    model,
    max_tokens: 100,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'document', source },
          { type: 'text', text: 'Read it.' },
        ],
      },
    ],
  });

function sentPart(type: string): unknown {
  const body = mistral.requests.at(-1)?.body;
  const [message] = isObject(body) && Array.isArray(body['messages']) ? body['messages'] : [];
  const content = isObject(message) && Array.isArray(message['content']) ? message['content'] : [];
  return content.find((part) => isObject(part) && part['type'] === type);
}

test('a PDF of a chat caller goes to Mistral as a document', async () => {
  await askChat(MISTRAL, { type: 'file', file: { filename: 'a.pdf', file_data: PDF_URL } });
  assert.deepEqual(sentPart('document_url'), {
    type: 'document_url',
    document_url: PDF_URL,
    document_name: 'a.pdf',
  });
});

test('base64 without its type is a PDF', async () => {
  await askChat(MISTRAL, { type: 'file', file: { file_data: PDF } });
  assert.deepEqual(sentPart('document_url'), { type: 'document_url', document_url: PDF_URL });
});

test('a file that Mistral keeps is named by its id in Mistral’s own part', async () => {
  await askChat(MISTRAL, { type: 'file', file: { file_id: 'file-0' } });
  assert.deepEqual(sentPart('file'), { type: 'file', file_id: 'file-0' });
});

test('a PDF of a caller of Messages goes to Mistral as a document, by its data and by its address', async () => {
  await askMessages(MISTRAL, { type: 'base64', media_type: 'application/pdf', data: PDF });
  assert.deepEqual(sentPart('document_url'), {
    type: 'document_url',
    document_url: PDF_URL,
    document_name: 'file.pdf',
  });
  const url = 'https://example.com/a.pdf';
  await askMessages(MISTRAL, { type: 'url', url });
  assert.deepEqual(sentPart('document_url'), { type: 'document_url', document_url: url });
});

test('audio goes to Mistral as its base64, whoever sends it in whichever form', async () => {
  const model = 'mistral/voxtral-audio';
  const wav = Buffer.from('RIFF fake').toString('base64');
  const expected = { type: 'input_audio', input_audio: wav };
  for (const data of [wav, `data:audio/wav;base64,${wav}`]) {
    await askChat(model, { type: 'input_audio', input_audio: { data, format: 'wav' } });
    assert.deepEqual(sentPart('input_audio'), expected);
  }
  const answer = await gateway.post(`/v1beta/models/${model}:generateContent`, {
    contents: [
      {
        role: 'user',
        parts: [{ inlineData: { mimeType: 'audio/wav', data: wav } }, { text: 'What is said?' }],
      },
    ],
  });
  assert.equal(answer.status, 200, await answer.text());
  assert.deepEqual(sentPart('input_audio'), expected);
});

test('Cohere takes no files: the caller is told where the file stands, in its own words', async () => {
  const refused = (path: string) => (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.ok(error.message.includes(`'${path}': A file cannot be sent`), error.message);
    return true;
  };
  const count = cohere.requests.length;
  await assert.rejects(
    askChat(COHERE, { type: 'file', file: { file_data: PDF_URL } }),
    refused('messages[0].content[1]'),
  );
  await assert.rejects(
    askMessages(COHERE, { type: 'base64', media_type: 'application/pdf', data: PDF }),
    refused('messages[0].content[0]'),
  );
  assert.equal(cohere.requests.length, count);
});

test('a file that is text goes to both as text', async () => {
  for (const model of [MISTRAL, COHERE]) {
    const data = `data:text/plain;base64,${Buffer.from('say hello').toString('base64')}`;
    const asked = await askChat(model, { type: 'file', file: { filename: 'a.txt', file_data: data } });
    assert.match(String(asked.choices[0]?.message.content), /hello/);
    await askMessages(model, { type: 'text', media_type: 'text/plain', data: 'say hello' });
  }
});
