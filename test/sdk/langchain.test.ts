import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import {
  AIMessage,
  type AIMessageChunk,
  type BaseMessage,
  HumanMessage,
  SystemMessage,
} from '@langchain/core/messages';
import type { Runnable } from '@langchain/core/runnables';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, type ChatOpenAIFields, OpenAIEmbeddings } from '@langchain/openai';
import { APIError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai';
import { z } from 'zod';
import { readmitCredentials } from '../support/admin.ts';
import { vectorOf } from '../support/fake-vectors.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { startWorld } from './support.ts';

const world = await startWorld();
const access = { apiKey: TEST_KEY, configuration: { baseURL: world.baseUrl }, maxRetries: 0 };

function chat(model: string, more: ChatOpenAIFields = {}): ChatOpenAI {
  return new ChatOpenAI({ model, ...access, ...more });
}

const weather = tool(({ city }) => `sunny in ${city}`, {
  name: 'weather',
  description: 'The weather in a city.',
  schema: z.object({ city: z.string() }),
});
const TWO_ROUNDS =
  'call weather {"city":"Rome"}\ncall weather {"city":"Oslo"}\nthen call weather {"city":"Bonn"}';
const Person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) });
const MADE = { name: 'text', age: 1, tags: ['text'] };

type Model = Pick<Runnable<BaseLanguageModelInput, AIMessageChunk>, 'invoke' | 'stream'>;

/** Asks in either way; the pieces of a stream are added up by LangChain's own rules. */
async function ask(model: Model, messages: BaseMessage[], streamed: boolean): Promise<AIMessageChunk> {
  if (!streamed) return model.invoke(messages);
  let sum: AIMessageChunk | undefined;
  for await (const chunk of await model.stream(messages)) sum = sum ? sum.concat(chunk) : chunk;
  assert.ok(sum);
  return sum;
}

for (const streamed of [false, true]) {
  const way = streamed ? 'stream' : 'invoke';

  world.each(`${way}: text and usage`, async ({ model }) => {
    const messages = [new SystemMessage('Be kind.'), new HumanMessage('usage cached 5\nsay system')];
    const answer = await ask(chat(model, { temperature: 0.5 }), messages, streamed);
    assert.equal(answer.text, 'System: Be kind.');
    assert.equal(answer.response_metadata['finish_reason'], 'stop');
    assert.partialDeepStrictEqual(answer.usage_metadata, {
      input_tokens: 12,
      output_tokens: 3,
      total_tokens: 15,
      input_token_details: { cache_read: 5 },
    });
  });

  world.each(`${way}: tools until there is an answer`, async ({ model }) => {
    await runTools(chat(model), TWO_ROUNDS, streamed);
  });

  world.eachThinker(`${way}: signed reasoning survives the tools`, async ({ model }) => {
    const thinking = chat(model, { modelKwargs: { reasoning_effort: 'low' } });
    await runTools(thinking, `think about maths\n${TWO_ROUNDS}`, streamed);
  });

  world.each(`${way}: an image`, async ({ model }) => {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL_PNG}` } },
    ];
    const answer = await ask(chat(model), [new HumanMessage({ content })], streamed);
    assert.equal(answer.text, 'Saw image image/png 68 bytes');
  });
}

async function runTools(model: ChatOpenAI, question: string, streamed: boolean): Promise<void> {
  const bound = model.bindTools([weather]);
  const messages: BaseMessage[] = [new HumanMessage(question)];
  const rounds: unknown[] = [];
  for (;;) {
    const answer = await ask(bound, messages, streamed);
    const calls = answer.tool_calls ?? [];
    rounds.push(calls.map(({ args }) => args));
    messages.push(new AIMessage({ content: answer.content, tool_calls: calls }));
    for (const call of calls) messages.push(await weather.invoke(call));
    if (calls.length === 0) break;
  }
  assert.deepEqual(rounds, [[{ city: 'Rome' }, { city: 'Oslo' }], [{ city: 'Bonn' }], []]);
  assert.equal(messages.at(-1)?.text, 'Tool said: sunny in Bonn');
}

world.each('bindTools with a tool choice', async ({ model }) => {
  for (const tool_choice of ['required', 'weather']) {
    const answer = await chat(model).bindTools([weather], { tool_choice }).invoke('Hi');
    assert.deepEqual(
      answer.tool_calls?.map(({ name, args }) => [name, args]),
      [['weather', { city: 'text' }]],
    );
  }
});

for (const method of ['jsonSchema', 'functionCalling'] as const) {
  world.each(`withStructuredOutput by ${method}`, async ({ model }) => {
    const structured = chat(model).withStructuredOutput(Person, { name: 'person', method });
    assert.deepEqual(await structured.invoke('Somebody.'), MADE);
  });
}

world.each('an abort stops the provider', async ({ model, fake }) => {
  const leave = new AbortController();
  const stream = await chat(model).stream('slow 1 ms per chunk\nlong 5000', { signal: leave.signal });
  await assert.rejects(async () => {
    for await (const chunk of stream) if (chunk.text !== '') leave.abort();
  });
  assert.equal((await fake.waitForAbort()).status, 200);
});

world.each('failures raise typed errors', async ({ model }) => {
  for (const [script, raised] of [
    ['fail 400', BadRequestError],
    ['fail 404', NotFoundError],
    ['fail 429', RateLimitError],
    ['fail 500', InternalServerError],
    ['fail 401', InternalServerError],
  ] as const) {
    await assert.rejects(chat(model).invoke(`${script}\nHi`), raised);
    if (script === 'fail 401') await readmitCredentials(world.url);
  }
  const stream = await chat(model).stream('error mid-stream\nslow 1 ms per chunk\nlong 20');
  let text = '';
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.text;
  }, APIError);
  assert.match(text, /^word1 word2/);
});

test('embeddings', async () => {
  for (const model of ['openai/text-embedding-3-small', 'gemini/gemini-embedding-2']) {
    const embeddings = new OpenAIEmbeddings({ model, dimensions: 8, ...access });
    const texts = ['Grüße', 'Hi'];
    const expected = texts.map((text) => vectorOf(text, 8));
    assert.deepEqual(await embeddings.embedDocuments(texts), expected);
  }
});

test('the usage records say what the providers served', () => world.checkBooks());
