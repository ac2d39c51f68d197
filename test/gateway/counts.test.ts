import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { isObject } from '../../src/conversation/json.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startFakeVertexModels } from '../support/fake-vertex-models.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

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

test('what Bedrock refuses for another reason than that it does not count is the caller’s to mend', async () => {
  const model = `bedrock/${CLAUDE}`;
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' } };
  const tool = { name: 'look', input_schema: { type: 'string' } };
  for (const [what, body] of Object.entries({
    picture: { messages: [{ role: 'user', content: [picture] }] },
    tool: { messages: [{ role: 'user', content: WORDS }], tools: [tool] },
  })) {
    const answer = await gateway.post('/v1/messages/count_tokens', { model, ...body });
    const said = await answer.json();
    assert.equal(answer.status, 400, `${what}: ${JSON.stringify(said)}`);
    assert.partialDeepStrictEqual(said, { type: 'error', error: { type: 'invalid_request_error' } });
  }
});

test('a key that Bedrock rejects is told, the first time as every other time', async () => {
  const { url } = bedrock;
  const rejected = await startGateway({
    providers: {
      bedrock: { baseUrl: url, region: 'us-east-1', accounts: [{ name: 'main', apiKey: 'not-a-key' }] },
    },
  });
  try {
    const body = { model: `bedrock/${CLAUDE}`, messages: [{ role: 'user', content: WORDS }] };
    const answers = [];
    for (let time = 0; time < 3; time++) {
      const answer = await rejected.post('/v1/messages/count_tokens', body);
      const { error } = (await answer.json()) as { error: { message: string } };
      answers.push([answer.status, error.message]);
    }
    assert.equal(answers[0]?.[0], 502, JSON.stringify(answers));
    assert.deepEqual(answers.slice(1), [answers[0], answers[0]]);
  } finally {
    await rejected.stop();
  }
});

test('Bedrock that does not let an account count, or has no counts where it is, is counted for', async () => {
  const refusals = [
    [
      403,
      'AccessDeniedException',
      'User: x is not authorized to perform: bedrock:CountTokens on resource: y',
    ],
    [404, 'UnknownOperationException', 'Not Found'],
  ] as const;
  for (const [status, type, message] of refusals) {
    const server = await startRawUpstream((response) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type });
      response.end(JSON.stringify({ message }));
    });
    const counting = await startGateway({
      providers: {
        bedrock: {
          baseUrl: new URL(server.baseUrl).origin,
          region: 'us-east-1',
          accounts: [{ name: 'main', apiKey: 'any' }],
        },
      },
    });
    try {
      const body = { model: `bedrock/${CLAUDE}`, messages: [{ role: 'user', content: WORDS }] };
      const answer = await counting.post('/v1/messages/count_tokens', body);
      assert.equal(answer.status, 200, `${type}: ${await answer.text()}`);
    } finally {
      await counting.stop();
      await server.close();
    }
  }
});

test('what is refused for something else than the count is told, though its words are alike', async () => {
  const notFound =
    'Publisher Model `projects/p/locations/l/publishers/anthropic/models/claude-nope-9` was not found or your project does not have access to it.';
  for (const [status, expected, model, message] of [
    [404, 404, 'vertex/claude-nope-9', notFound],
    [400, 400, `bedrock/${CLAUDE}`, 'The tool `count_tokens` has an input schema that is not supported.'],
    [400, 400, `bedrock/${CLAUDE}`, 'toolConfig.tools.0.member.toolSpec.name: count_tokens is invalid'],
  ] as const) {
    const server = await startRawUpstream((response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(
          model.startsWith('vertex')
            ? { error: { code: status, message, status: 'NOT_FOUND' } }
            : { message },
        ),
      );
    });
    const baseUrl = new URL(server.baseUrl).origin;
    const accounts = [{ name: 'main', apiKey: 'any' }];
    const counting = await startGateway({
      providers: {
        bedrock: { baseUrl, region: 'us-east-1', accounts },
        vertex: { baseUrl, project: 'p', location: 'l', accounts },
      },
    });
    try {
      const body = { model, messages: [{ role: 'user', content: WORDS }] };
      const answer = await counting.post('/v1/messages/count_tokens', body);
      assert.equal(answer.status, expected, `${message}: ${await answer.text()}`);
    } finally {
      await counting.stop();
      await server.close();
    }
  }
});

test('what Vertex tells of a count beside the number reaches callers of its own dialect', async () => {
  const details = [{ modality: 'TEXT', tokenCount: 7 }];
  const told = { totalTokens: 7, totalBillableCharacters: 30, promptTokensDetails: details };
  const server = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(told));
  });
  const counting = await startGateway({
    providers: {
      vertex: {
        baseUrl: new URL(server.baseUrl).origin,
        ...{ project: 'my-project', location: 'europe-west4' },
        accounts: [{ name: 'main', apiKey: 'any' }],
      },
    },
  });
  try {
    const asked = await counting.post('/v1beta/models/vertex/gemini-2.5-flash:countTokens', CONTENTS);
    assert.deepEqual(await asked.json(), told);
    const body = { model: 'vertex/gemini-2.5-flash', messages: [{ role: 'user', content: WORDS }] };
    const other = await counting.post('/v1/messages/count_tokens', body);
    assert.deepEqual(await other.json(), { input_tokens: 7 });
  } finally {
    await counting.stop();
    await server.close();
  }
});

test('Vertex counts Gemini, whatever the form of the question', async () => {
  const promptTokensDetails = [{ modality: 'TEXT', tokenCount: 7 }];
  const expected = { totalTokens: 7, promptTokensDetails };
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
