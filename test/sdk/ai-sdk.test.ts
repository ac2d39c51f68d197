import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { AISDKError, APICallError, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { readmitCredentials } from '../support/admin.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { startWorld } from './support.ts';

const world = await startWorld();

/** The two providers of the AI SDK with which its users reach an OpenAI-compatible door. */
const access = { baseURL: world.baseUrl, apiKey: TEST_KEY };
const openai = createOpenAI(access);
const compatible = createOpenAICompatible({
  name: 'fairlead',
  ...access,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const CLIENTS = [
  { client: '@ai-sdk/openai', modelOf: (id: string) => openai.chat(id) },
  { client: '@ai-sdk/openai-compatible', modelOf: (id: string) => compatible(id) },
];

const weather = tool({
  description: 'The weather in a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => `sunny in ${city}`,
});
const TWO_ROUNDS =
  'call weather {"city":"Rome"}\ncall weather {"city":"Oslo"}\nthen call weather {"city":"Bonn"}';
const Person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) });
const MADE = { name: 'text', age: 1, tags: ['text'] };

interface Tokens {
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  totalTokens?: number | undefined;
  inputTokenDetails: { cacheReadTokens?: number | undefined };
}

function countTokens({ inputTokens, outputTokens, totalTokens, inputTokenDetails }: Tokens): object {
  return { inputTokens, outputTokens, totalTokens, cached: inputTokenDetails.cacheReadTokens };
}

for (const { client, modelOf } of CLIENTS) {
  world.each(`${client}: generateText`, async ({ model }) => {
    const result = await generateText({
      model: modelOf(model),
      instructions: 'Be kind.',
      prompt: 'usage cached 5\nsay system',
      temperature: 0.5,
      maxOutputTokens: 50,
    });
    assert.equal(result.text, 'System: Be kind.');
    assert.equal(result.finishReason, 'stop');
    const tokens = { inputTokens: 12, outputTokens: 3, totalTokens: 15, cached: 5 };
    assert.deepEqual(countTokens(result.usage), tokens);
  });

  world.each(`${client}: streamText`, async ({ model }) => {
    const result = streamText({ model: modelOf(model), prompt: 'Grüße, 世界 😀' });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    assert.deepEqual(deltas, ['Echo:', ' Grüße,', ' 世界', ' 😀']);
    assert.equal(await result.finishReason, 'stop');
    const tokens = { inputTokens: 3, outputTokens: 4, totalTokens: 7, cached: 0 };
    assert.deepEqual(countTokens(await result.usage), tokens);
  });

  world.each(`${client}: an answer cut at its limit`, async ({ model }) => {
    const result = await generateText({ model: modelOf(model), prompt: 'long 9', maxOutputTokens: 2 });
    assert.deepEqual([result.text, result.finishReason], ['word1 word2', 'length']);
  });

  world.each(`${client}: tools in several steps, generated`, async ({ model }) => {
    const result = await generateText({
      model: modelOf(model),
      prompt: TWO_ROUNDS,
      tools: { weather },
      stopWhen: stepCountIs(5),
    });
    assert.equal(result.text, 'Tool said: sunny in Bonn');
    const inputs = result.steps.map(({ toolCalls }) => toolCalls.map(({ input }) => input));
    assert.deepEqual(inputs, [[{ city: 'Rome' }, { city: 'Oslo' }], [{ city: 'Bonn' }], []]);
    assert.deepEqual(
      result.steps.map(({ finishReason }) => finishReason),
      ['tool-calls', 'tool-calls', 'stop'],
    );
  });

  world.each(`${client}: tools in several steps, streamed`, async ({ model }) => {
    const result = streamText({
      model: modelOf(model),
      prompt: TWO_ROUNDS,
      tools: { weather },
      stopWhen: stepCountIs(5),
    });
    const heard: unknown[] = [];
    for await (const part of result.stream) {
      if (part.type === 'tool-call') heard.push(part.input);
      if (part.type === 'tool-result') heard.push(part.output);
    }
    assert.equal(heard.length, 6);
    assert.equal(await result.text, 'Tool said: sunny in Bonn');
  });

  world.each(`${client}: tool choice`, async ({ model }) => {
    for (const toolChoice of ['required', { type: 'tool', toolName: 'weather' }] as const) {
      const params = { model: modelOf(model), prompt: 'Hi', tools: { weather }, toolChoice };
      const { toolCalls } = await generateText(params);
      assert.deepEqual(
        toolCalls.map(({ toolName, input }) => [toolName, input]),
        [['weather', { city: 'text' }]],
      );
    }
    const params = { model: modelOf(model), prompt: 'call weather {}', tools: { weather } };
    const none = await generateText({ ...params, toolChoice: 'none' });
    assert.deepEqual([none.toolCalls, none.finishReason], [[], 'stop']);
  });

  world.each(`${client}: structured output`, async ({ model: id }) => {
    const model = modelOf(id);
    const output = Output.object({ schema: Person });
    const generated = await generateText({ model, prompt: 'Somebody.', output });
    assert.deepEqual(generated.output, MADE);
    const streamed = streamText({ model, prompt: 'Somebody.', output });
    assert.deepEqual(await streamed.output, MADE);
    const choice = Output.choice({ options: ['soup', 'cake'] });
    assert.equal((await generateText({ model, prompt: 'Which?', output: choice })).output, 'soup');
  });

  world.each(`${client}: an image`, async ({ model }) => {
    const data = Buffer.from(PIXEL_PNG, 'base64');
    const { text } = await generateText({
      model: modelOf(model),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'file', mediaType: 'image/png', data },
          ],
        },
      ],
    });
    assert.equal(text, 'Saw image image/png 68 bytes');
  });

  world.each(`${client}: abort stops the provider`, async ({ model, fake }) => {
    const leave = new AbortController();
    const result = streamText({
      model: modelOf(model),
      prompt: 'slow 1 ms per chunk\nlong 5000',
      abortSignal: leave.signal,
    });
    const ends: string[] = [];
    for await (const part of result.stream) {
      if (part.type === 'text-delta') leave.abort();
      else ends.push(part.type);
    }
    assert.equal(ends.at(-1), 'abort');
    assert.equal((await fake.waitForAbort()).status, 200);
  });

  world.each(`${client}: failures`, async ({ model: id }) => {
    const model = modelOf(id);
    for (const [script, status, isRetryable] of [
      ['fail 400', 400, false],
      ['fail 404', 404, false],
      ['fail 429', 429, true],
      ['fail 500', 502, true],
      ['fail 401', 502, true],
      ['html 200', 502, true],
    ] as const) {
      await assert.rejects(generateText({ model, prompt: `${script}\nHi`, maxRetries: 0 }), (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.deepEqual([error.statusCode, error.isRetryable], [status, isRetryable]);
        return true;
      });
      if (script === 'fail 401') await readmitCredentials(world.url);
    }
  });

  world.each(`${client}: an error in the middle of a stream`, async ({ model }) => {
    const errors: unknown[] = [];
    const result = streamText({
      model: modelOf(model),
      prompt: 'error mid-stream\nslow 1 ms per chunk\nlong 20',
      onError: ({ error }) => {
        errors.push(error);
      },
    });
    let text = '';
    for await (const part of result.stream) if (part.type === 'text-delta') text += part.text;
    assert.match(text, /^word1 word2/);
    assert.equal(errors.length, 1);
    const [error] = errors;
    assert.ok(AISDKError.isInstance(error) && 'type' in error);
    assert.equal(error.type, 'server_error');
  });
}

world.eachThinker(
  '@ai-sdk/openai-compatible: reasoning is shown, and survives its tools',
  async ({ model }) => {
    const params = {
      model: compatible(model),
      prompt: `think about maths\n${TWO_ROUNDS}`,
      tools: { weather },
      stopWhen: stepCountIs(5),
      providerOptions: { fairlead: { reasoningEffort: 'low' } },
    };
    const generated = await generateText(params);
    assert.equal(generated.steps[0]?.reasoningText, 'thinking about maths');
    assert.equal(generated.text, 'Tool said: sunny in Bonn');
    const streamed = streamText(params);
    assert.equal(await streamed.text, 'Tool said: sunny in Bonn');
    assert.equal((await streamed.steps)[0]?.reasoningText, 'thinking about maths');
  },
);

world.eachThinker('@ai-sdk/openai: reasoning survives its tools', async ({ model }) => {
  const params = {
    model: openai.chat(model),
    prompt: `think about maths\n${TWO_ROUNDS}`,
    tools: { weather },
    stopWhen: stepCountIs(5),
    providerOptions: { openai: { reasoningEffort: 'low' } },
  };
  assert.equal((await generateText(params)).text, 'Tool said: sunny in Bonn');
  assert.equal(await streamText(params).text, 'Tool said: sunny in Bonn');
});

test('the usage records say what the providers served', () => world.checkBooks());
