import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { chatEmbeddings } from '../../src/dialects/chat/embeddings.ts';
import { bedrockEmbeddings } from '../../src/dialects/converse/embeddings.ts';
import type { UpstreamEmbeddings } from '../../src/dialects/embeddings.ts';
import { geminiEmbeddings } from '../../src/dialects/gemini/embeddings.ts';
import { vertexContents, vertexPredictions } from '../../src/dialects/gemini/vertex-embeddings.ts';

/** An answer to one text, as each API writes it. */
const APIS: [
  name: string,
  api: UpstreamEmbeddings,
  answer: (vector: JsonValue, tokens: JsonValue) => JsonObject,
][] = [
  [
    'chat',
    chatEmbeddings,
    (embedding, prompt_tokens) => ({ data: [{ index: 0, embedding }], usage: { prompt_tokens } }),
  ],
  [
    'gemini',
    geminiEmbeddings,
    (values, promptTokenCount) => ({ embeddings: [{ values }], usageMetadata: { promptTokenCount } }),
  ],
  [
    'vertex :predict',
    vertexPredictions,
    (values, token_count) => ({ predictions: [{ embeddings: { values, statistics: { token_count } } }] }),
  ],
  [
    'vertex :embedContent',
    vertexContents,
    (values, promptTokenCount) => ({ embedding: { values }, usageMetadata: { promptTokenCount } }),
  ],
  ['bedrock', bedrockEmbeddings, (embedding, inputTextTokenCount) => ({ embedding, inputTextTokenCount })],
];

const request = { model: 'm', inputs: ['Hi'] };

for (const [name, { decodeResponse }, answer] of APIS) {
  test(`${name}: what was read is counted, and what can be no count is none`, () => {
    assert.deepEqual(decodeResponse(answer([0.5], 7), request).usage, { ...NO_USAGE, input: 7 });
    for (const wrong of [-7, Number.POSITIVE_INFINITY, 'many', null]) {
      assert.equal(decodeResponse(answer([0.5], wrong), request).usage, undefined, String(wrong));
    }
  });

  test(`${name}: what is no vector is no answer`, () => {
    for (const wrong of [[], [0.5, 'x'], [null], {}, 0.5, null]) {
      assert.throws(
        () => decodeResponse(answer(wrong, 7), request),
        { kind: 'upstream_unavailable' },
        JSON.stringify(wrong),
      );
    }
  });
}
