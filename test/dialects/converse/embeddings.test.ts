import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject } from '../../../src/conversation/json.ts';
import { bedrockEmbeddings } from '../../../src/dialects/converse/embeddings.ts';
import { vertexContents, vertexPredictions } from '../../../src/dialects/gemini/vertex-embeddings.ts';
import { readExchanges, skipWithoutWire } from '../../support/wire.ts';

/** The recorded answers of each provider, with the model in their URL and what reads them. */
const RECORDED = [
  ['bedrock', /\/model\/([^/]*embed[^/]*)\/invoke$/, () => bedrockEmbeddings],
  [
    'vertex',
    /\/models\/([^/:]*embed[^/:]*):(?:predict|embedContent)$/,
    (url: string) => (url.endsWith(':predict') ? vertexPredictions : vertexContents),
  ],
] as const;

for (const [provider, route, codecOf] of RECORDED) {
  test(`recorded embeddings of ${provider} are read whole`, { skip: skipWithoutWire }, () => {
    let read = 0;
    for (const { url, response } of readExchanges(provider)) {
      const [, model] = route.exec(url) ?? [];
      if (model === undefined || response.status !== 200 || !isObject(response.body)) continue;
      const { vectors, usage } = codecOf(url).decodeResponse(response.body, { model, inputs: ['x'] });
      assert.ok((vectors[0]?.length ?? 0) >= 256, url);
      if ('inputTextTokenCount' in response.body || provider === 'vertex')
        assert.ok(usage && usage.input > 0, url);
      read++;
    }
    assert.ok(read > 1);
  });
}

test('an answer without the vectors that were asked for is an error', () => {
  for (const body of [{}, { embedding: ['x'] }, { embeddings: [[1], [2]] }, { embeddings: {} }, 7]) {
    assert.throws(() => bedrockEmbeddings.decodeResponse(body, { model: 'm', inputs: ['x'] }), {
      kind: 'upstream_unavailable',
    });
  }
  for (const codec of [vertexPredictions, vertexContents]) {
    for (const body of [{}, { predictions: [{}] }, { embedding: { values: ['x'] } }, null]) {
      assert.throws(() => codec.decodeResponse(body, { model: 'm', inputs: ['x'] }), {
        kind: 'upstream_unavailable',
      });
    }
  }
});

test('what Vertex’s forms have no word for is named, also where objects inherit such a word', () => {
  const extra = { dialect: 'chat', fields: { constructor: 1, toString: 2, x: 3 } } as const;
  for (const codec of [vertexPredictions, vertexContents]) {
    const { dropped } = codec.encodeRequest({ model: 'm', inputs: ['x'], extra }, 'm');
    assert.deepEqual(dropped, ['constructor', 'toString', 'x']);
  }
});
