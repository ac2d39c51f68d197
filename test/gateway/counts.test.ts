import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { isObject } from '../../src/conversation/json.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startFakeVertexModels } from '../support/fake-vertex-models.ts';
import { startGateway } from '../support/gateway.ts';

/** Clouds count the tokens of their models, each in its own way. */
const [bedrock, vertex] = await Promise.all([startFakeBedrock(), startFakeVertexModels()]);
const gateway = await startGateway({
  providers: {
    bedrock: {
      baseUrl: bedrock.url,
      region: 'us-east-1',
      accounts: [{ name: 'main', apiKey: bedrock.apiKey }],
    },
    vertex: {
      baseUrl: vertex.url,
      ...{ project: 'my-project', location: 'europe-west4' },
      accounts: [{ name: 'main', apiKey: vertex.apiKey }],
    },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([bedrock.close(), vertex.close()]);
});

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
/** A word that the fakes count as so many, whatever ours would be. */
const WORDS = 'one two three four five six seven';

async function countByMessages(model: string): Promise<unknown> {
  const body = { model, system: 'Be kind.', messages: [{ role: 'user', content: WORDS }] };
  const answer = await gateway.post('/v1/messages/count_tokens', body);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function countByGemini(model: string, body: object): Promise<unknown> {
  const answer = await gateway.post(`/v1beta/models/${model}:countTokens`, body);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const CONTENTS = { contents: [{ role: 'user', parts: [{ text: WORDS }] }] };

test('Bedrock counts Claude, by the name of its foundation model', async () => {
  const counted = await countByMessages(`bedrock/${CLAUDE}`);
  const last = bedrock.requests.at(-1);
  assert.equal(last?.path, `/model/${encodeURIComponent(CLAUDE.slice('us.'.length))}/count-tokens`);
  assert.deepEqual(last?.body, {
    input: {
      converse: { system: [{ text: 'Be kind.' }], messages: [{ role: 'user', content: [{ text: WORDS }] }] },
    },
  });
  assert.deepEqual(counted, { input_tokens: 9 });
  assert.deepEqual(await countByGemini(`bedrock/${CLAUDE}`, CONTENTS), { totalTokens: 7 });
});

test('what Bedrock does not count the gateway does, by an estimate', async () => {
  const before = bedrock.requests.length;
  assert.ok(isObject(await countByMessages('bedrock/us.amazon.nova-pro-v1:0')));
  assert.equal(bedrock.requests.length, before, 'it need not be asked');
  const counted = await countByMessages('bedrock/us.anthropic.claude-uncounted-9-v1:0');
  assert.equal(bedrock.requests.at(-1)?.status, 400);
  assert.ok(isObject(counted) && Number(counted['input_tokens']) > 0);
  const [record] = await gateway.calls(1);
  assert.deepEqual([record?.operation, record?.outcome, record?.costMicroUsd], ['count', 'ok', 0]);
});

test('Vertex counts Gemini, whatever the form of the question', async () => {
  const expected = { totalTokens: 7 };
  const model = 'vertex/gemini-2.5-flash';
  assert.deepEqual(await countByGemini(model, CONTENTS), expected);
  const whole = { generateContentRequest: { model: 'models/gemini-2.5-flash', ...CONTENTS } };
  assert.deepEqual(await countByGemini(model, whole), expected);
  assert.match(String(vertex.requests.at(-1)?.path), /google\/models\/gemini-2\.5-flash:countTokens$/);
  await countByMessages(model);
  assert.deepEqual(vertex.requests.at(-1)?.body, {
    ...CONTENTS,
    systemInstruction: { parts: [{ text: 'Be kind.' }] },
  });
});

test('Vertex counts Claude, with the model in the body', async () => {
  const model = 'vertex/claude-sonnet-4-5@20250929';
  assert.deepEqual(await countByMessages(model), { input_tokens: 9 });
  const { path, body } = vertex.requests.at(-1) ?? {};
  assert.match(String(path), /anthropic\/models\/count-tokens:rawPredict$/);
  assert.partialDeepStrictEqual(body, {
    model: 'claude-sonnet-4-5@20250929',
    anthropic_version: 'vertex-2023-10-16',
  });
  assert.deepEqual(await countByGemini(model, CONTENTS), { totalTokens: 7 });
});

test('Bedrock counts with the flags of betas, inside of what it counts', async () => {
  const answer = await gateway.post(
    '/v1/messages/count_tokens',
    {
      model: `bedrock/${CLAUDE}`,
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [{ type: 'computer_20250124', name: 'computer', display_width_px: 100, display_height_px: 100 }],
    },
    { headers: { 'anthropic-beta': 'computer-use-2025-01-24' } },
  );
  assert.equal(answer.status, 200, await answer.text());
  const sent = bedrock.requests.at(-1);
  assert.ok(sent);
  const { input, ...outer } = JSON.parse(sent.rawBody.toString()) as { input: { converse: JsonObject } };
  assert.deepEqual(outer, {});
  const fields = input.converse['additionalModelRequestFields'] as JsonObject;
  assert.deepEqual(fields['anthropic_beta'], ['computer-use-2025-01-24']);
});
