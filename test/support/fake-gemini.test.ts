import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiError, type Content, type GenerateContentConfig, GoogleGenAI, Type } from '@google/genai';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeGemini } from './fake-gemini.ts';
import type { FakeProvider } from './fake-provider.ts';
import { vectorOf } from './fake-vectors.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'gemini-2.5-flash';
const THINKER = 'gemini-3-flash-preview';
const WEATHER = {
  functionDeclarations: [
    { name: 'weather', parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } } } },
  ],
};

let fake: FakeProvider;
let client: GoogleGenAI;

before(async () => {
  fake = await startFakeGemini({ cutBytes: 5 });
  client = new GoogleGenAI({ apiKey: fake.apiKey, httpOptions: { baseUrl: fake.url } });
});
after(() => fake.close());

function generate(contents: string | Content[], config: GenerateContentConfig = {}, model = MODEL) {
  return client.models.generateContent({ model, contents, config });
}

test('a text is answered whole', async () => {
  const response = await generate('Grüße 👋');
  assert.equal(response.text, 'Echo: Grüße 👋');
  assert.equal(response.candidates?.[0]?.finishReason, 'STOP');
  assert.deepEqual(
    { ...response.usageMetadata },
    {
      promptTokenCount: 2,
      candidatesTokenCount: 3,
      totalTokenCount: 5,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 2 }],
    },
  );
});

test('cached and audio tokens are part of the prompt, thoughts are apart from the candidates', async () => {
  const { usageMetadata: usage } = await generate('usage cached 7\nusage audio-in 3\nusage reasoning 4\nhi');
  assert.deepEqual(
    [
      usage?.promptTokenCount,
      usage?.cachedContentTokenCount,
      usage?.candidatesTokenCount,
      usage?.thoughtsTokenCount,
    ],
    [20, 7, 2, 4],
  );
  assert.deepEqual(usage?.promptTokensDetails?.[1], { modality: 'AUDIO', tokenCount: 3 });
});

test('a stream, cut inside its line ends and characters, counts on and ends with a reason', async () => {
  const stream = await client.models.generateContentStream({
    model: THINKER,
    contents: 'think about 👋',
    config: { thinkingConfig: { includeThoughts: true } },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
  const textOf = (thought: boolean): string =>
    parts
      .filter((part) => (part.thought ?? false) === thought)
      .map((part) => part.text)
      .join('');
  assert.equal(textOf(true), 'thinking about 👋');
  assert.equal(textOf(false), 'Echo: think about 👋');
  assert.ok(parts.at(-1)?.thoughtSignature);
  assert.deepEqual(
    chunks.map((chunk) => chunk.candidates?.[0]?.finishReason).filter((reason) => reason !== undefined),
    ['STOP'],
  );
  const counts = chunks.map((chunk) => chunk.usageMetadata?.candidatesTokenCount ?? 0);
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  );
  assert.equal(counts.at(-1), 4);
});

test('without alt=sse the stream is a JSON array', async () => {
  const response = await fetch(`${fake.url}/v1beta/models/${MODEL}:streamGenerateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': fake.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'a b' }] }] }),
  });
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  const chunks = (await response.json()) as JsonObject[];
  assert.equal(chunks.length, 4);
});

test('signatures come with the first of the calls and must come back with it', async () => {
  const question = {
    role: 'user',
    parts: [{ text: 'call weather {"city":"Ulm"}\ncall weather {"city":"Bonn"}' }],
  };
  const first = await generate([question], { tools: [WEATHER] }, THINKER);
  const content = first.candidates?.[0]?.content;
  const calls = content?.parts ?? [];
  assert.deepEqual(
    calls.map((part) => [part.functionCall?.args, part.thoughtSignature !== undefined]),
    [
      [{ city: 'Ulm' }, true],
      [{ city: 'Bonn' }, false],
    ],
  );
  const answers = calls.map(({ functionCall: call }) => ({
    functionResponse: {
      id: call?.id ?? '',
      name: 'weather',
      response: { output: `12° in ${call?.args?.['city']}` },
    },
  }));
  const follow = (parts: object[]) =>
    generate(
      [question, { role: 'model', parts }, { role: 'user', parts: answers }],
      { tools: [WEATHER] },
      THINKER,
    );
  const second = await follow(calls);
  assert.equal(second.text, 'Tool said: 12° in Ulm, 12° in Bonn');

  const unsigned = calls.map(({ functionCall }) => ({ functionCall }));
  await assert.rejects(
    follow(unsigned),
    /Function call is missing a thought_signature in functionCall parts/,
  );
  const [one, two] = unsigned;
  assert.ok(one && two);
  const skip = Buffer.from('skip_thought_signature_validator').toString('base64');
  assert.equal((await follow([{ ...one, thoughtSignature: skip }, two])).text, second.text);
  await assert.rejects(follow([{ ...one, thoughtSignature: 'AAAA' }, two]), /Corrupted thought signature/);
  const [{ thoughtSignature: signature } = {}] = calls;
  await assert.rejects(follow([one, { ...two, thoughtSignature: signature }]), /Corrupted thought signature/);
});

test('the model before Gemini 3 asks for no signatures, and an old turn needs none', async () => {
  const call = { functionCall: { name: 'weather', args: {} } };
  const answer = { functionResponse: { name: 'weather', response: { result: '12°' } } };
  const turn = [
    { role: 'user', parts: [{ text: 'call weather {}' }] },
    { role: 'model', parts: [call] },
    { role: 'user', parts: [answer] },
  ];
  assert.equal((await generate(turn, { tools: [WEATHER] })).text, 'Tool said: 12°');
  const later = [
    ...turn,
    { role: 'model', parts: [{ text: 'ok' }] },
    { role: 'user', parts: [{ text: 'hi' }] },
  ];
  assert.equal((await generate(later, { tools: [WEATHER] }, THINKER)).text, 'Echo: hi');
});

test('a JSON schema, an image, limits, refusals and blocked prompts', async () => {
  const schema = { type: 'object', properties: { city: { type: 'string' } } };
  const json = { responseMimeType: 'application/json', responseJsonSchema: schema };
  assert.equal((await generate('hi', json)).text, '{"city":"text"}');
  const typed = {
    responseMimeType: 'application/json',
    responseSchema: { type: Type.OBJECT, properties: { n: { type: Type.INTEGER } } },
  };
  assert.equal((await generate('hi', typed)).text, '{"n":1}');

  const image = { inlineData: { mimeType: 'image/png', data: PIXEL_PNG } };
  const seen = await generate([{ role: 'user', parts: [{ text: 'look' }, image] }]);
  assert.equal(seen.text, 'Saw image image/png 68 bytes');

  assert.equal(
    (await generate('long 9', { maxOutputTokens: 2 })).candidates?.[0]?.finishReason,
    'MAX_TOKENS',
  );
  assert.equal((await generate('hi', { candidateCount: 2 })).candidates?.length, 2);
  assert.equal((await generate('refuse')).candidates?.[0]?.finishReason, 'SAFETY');
  const blocked = await generate('block');
  assert.equal(blocked.promptFeedback?.blockReason, 'PROHIBITED_CONTENT');
  assert.equal(blocked.candidates, undefined);
  assert.equal((await generate('say system', { systemInstruction: 'be kind' })).text, 'System: be kind');
});

test('fields may be in snake_case, and `v1` is the same as `v1beta`', async () => {
  for (const version of ['v1', 'v1beta', 'v1alpha']) {
    const response = await fetch(
      `${fake.url}/${version}/models/${MODEL}:generateContent?key=${fake.apiKey}`,
      {
        method: 'POST',
        body: JSON.stringify({
          contents: { role: 'user', parts: { inline_data: { mime_type: 'image/png', data: PIXEL_PNG } } },
          generation_config: { max_output_tokens: 50 },
        }),
      },
    );
    assert.match(await response.text(), /"text": "Saw image image\/png 68 bytes"/);
  }
});

test('embeddings, token counts and models', async () => {
  const embedded = await client.models.embedContent({
    model: 'gemini-embedding-001',
    contents: ['a', 'b'],
    config: { outputDimensionality: 8 },
  });
  assert.deepEqual(
    embedded.embeddings?.map(({ values }) => values),
    [vectorOf('a', 8), vectorOf('b', 8)],
  );
  assert.equal((await client.models.countTokens({ model: MODEL, contents: 'a b c' })).totalTokens, 3);
  assert.equal((await client.models.get({ model: MODEL })).name, `models/${MODEL}`);
});

test('a wrong key, no key, an unknown model and an unknown path have their own errors', async () => {
  const wrong = new GoogleGenAI({ apiKey: 'wrong', httpOptions: { baseUrl: fake.url } });
  await assert.rejects(wrong.models.generateContent({ model: MODEL, contents: 'hi' }), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 400);
    assert.match(error.message, /API_KEY_INVALID/);
    return true;
  });
  assert.equal((await fetch(`${fake.url}/v1beta/models`)).status, 403);
  const unknown = await fetch(`${fake.url}/v1beta/nothing?key=${fake.apiKey}`);
  assert.deepEqual([unknown.status, unknown.headers.get('content-type')], [404, 'text/html; charset=UTF-8']);
  await assert.rejects(
    generate('hi', {}, 'gemini-9'),
    /models\/gemini-9 is not found for API version v1beta/,
  );
});
