import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bedrockEmbeddings } from '../../src/dialects/converse/embeddings.ts';
import { geminiEmbeddings } from '../../src/dialects/gemini/embeddings.ts';
import { vertexContents, vertexPredictions } from '../../src/dialects/gemini/vertex-embeddings.ts';

const MOST = [
  ['Gemini', geminiEmbeddings, 'gemini-embedding-001', 100],
  ['Vertex :predict', vertexPredictions, 'text-embedding-005', 250],
  ['Gemini by Vertex :predict', vertexPredictions, 'gemini-embedding-001', 1],
  ['Vertex :embedContent', vertexContents, 'gemini-embedding-2', 1],
  ['Titan on Bedrock', bedrockEmbeddings, 'amazon.titan-embed-text-v2:0', 1],
  ['Cohere on Bedrock', bedrockEmbeddings, 'cohere.embed-english-v3', 96],
  ['Cohere 4 on Bedrock', bedrockEmbeddings, 'cohere.embed-v4:0', 96],
] as const;

for (const [name, codec, model, most] of MOST) {
  test(`${name} is asked for at most ${most} embeddings a call; more are refused in the caller’s words`, () => {
    const inputs = (count: number) => Array.from({ length: count }, () => 'a');
    assert.doesNotThrow(() => codec.encodeRequest({ model, inputs: inputs(most) }, model));
    assert.throws(() => codec.encodeRequest({ model, inputs: inputs(most + 1) }, model), {
      kind: 'invalid_request',
      param: 'input',
      message: `'input' holds ${most + 1} texts, and the model that this call goes to takes at most ${most} a call: send them in several calls.`,
    });
    assert.throws(() => codec.encodeRequest({ model, inputs: [''] }, model), {
      kind: 'invalid_request',
      param: 'input',
    });
    if (most > 1)
      assert.throws(() => codec.encodeRequest({ model, inputs: ['a', ''] }, model), { param: 'input[1]' });
    const one = { model: `models/${model}`, content: { parts: [{ text: 'a' }] } };
    const { request } = geminiEmbeddings.decodeRequest({ requests: inputs(most + 1).map(() => one) });
    assert.throws(() => codec.encodeRequest(request, model), {
      param: 'requests',
      message: /^'requests' holds/,
    });
  });
}
