import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { BadRequestError, toFile } from 'openai';
import { startFakeAzureModels } from '../support/fake-azure-models.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/** What Azure has beside text, on its v1 surface: the key in its own header, deployments with names of their own. */
const fake = await startFakeAzureModels();
const gateway = await startGateway({
  providers: {
    azure: {
      adapter: 'azure-openai',
      baseUrl: fake.url,
      deployments: { painter: 'gpt-image-1' },
      accounts: [{ name: 'main', apiKey: fake.apiKey }],
    },
  },
});
after(async () => {
  await gateway.stop();
  await fake.close();
});
const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const lastPath = () => fake.requests.at(-1)?.path;

test('images are made by the deployment of their model', async () => {
  const { data } = await client.images.generate({ model: 'azure/painter', prompt: 'a cat' });
  assert.ok(data?.[0]?.b64_json);
  assert.equal(lastPath(), '/openai/v1/images/generations');
  assert.partialDeepStrictEqual(fake.requests.at(-1)?.body, { model: 'gpt-image-1' });
});

test('speech comes, and is written down', async () => {
  const speech = await client.audio.speech.create({ model: 'azure/tts-1', input: 'Hi', voice: 'alloy' });
  assert.ok((await speech.arrayBuffer()).byteLength > 0);
  assert.equal(lastPath(), '/openai/v1/audio/speech');
  const file = await toFile(Buffer.from('sound'), 'a.wav');
  const { text } = await client.audio.transcriptions.create({ model: 'azure/whisper-1', file });
  assert.notEqual(text, '');
  assert.equal(lastPath(), '/openai/v1/audio/transcriptions');
});

test('files and batches are kept there, and belong to their tenant', async () => {
  const body = { model: 'gpt-4.1', messages: [{ role: 'user', content: 'Hi' }] };
  const line = JSON.stringify({ custom_id: '1', method: 'POST', url: '/v1/chat/completions', body });
  const file = await client.files.create({
    file: await toFile(Buffer.from(`${line}\n`), 'lines.jsonl'),
    purpose: 'batch',
  });
  assert.equal(await (await client.files.content(file.id)).text(), `${line}\n`);
  assert.equal(lastPath(), `/openai/v1/files/${file.id}/content`);
  const batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  });
  assert.equal((await client.batches.retrieve(batch.id)).id, batch.id);
  assert.equal(
    fake.requests.some(({ path }) => path === `/openai/v1/batches/${batch.id}`),
    true,
  );
});

test('what Azure has not is refused before it is asked', async () => {
  const count = fake.requests.length;
  await assert.rejects(
    client.moderations.create({ model: 'azure/omni-moderation-latest', input: 'Hi' }),
    (error) => error instanceof BadRequestError && error.code === 'unsupported_operation',
  );
  assert.equal(fake.requests.length, count);
});
