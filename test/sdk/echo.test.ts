import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { tool as langChainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, Output, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/** The built-in model, with which newcomers try their SDK before they have a key of any provider. */
const model = 'echo/echo';
const gateway = await startGateway();
after(() => gateway.stop());
const access = { baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY };

const QUESTION = 'Grüße 😀 weather';
const ECHO = `Echo: ${QUESTION}`;
const Person = z.object({ name: z.string(), age: z.number().int(), kind: z.enum(['soup', 'cake']) });
const MADE = { name: QUESTION, age: 1, kind: 'soup' };
const City = z.object({ city: z.string() });
const sayWeather = ({ city }: z.infer<typeof City>): string => `sunny in ${city}`;
const AFTER_TOOL = `Echo: weather answered: sunny in ${QUESTION}`;

test('openai: text, stream, tools, structured output, embeddings', async () => {
  const { chat, embeddings } = new OpenAI(access);
  const messages = [{ role: 'user' as const, content: QUESTION }];
  const whole = await chat.completions.create({ model, messages });
  assert.equal(whole.choices[0]?.message.content, ECHO);
  assert.equal(await chat.completions.stream({ model, messages }).finalContent(), ECHO);
  const response_format = zodResponseFormat(Person, 'person');
  const parsed = await chat.completions.parse({ model, messages, response_format });
  assert.deepEqual(parsed.choices[0]?.message.parsed, MADE);
  const runner = chat.completions.runTools({
    model,
    messages,
    tools: [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'The weather in a city.',
          parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          parse: (json: string) => City.parse(JSON.parse(json)),
          function: sayWeather,
        },
      },
    ],
  });
  assert.equal(await runner.finalContent(), AFTER_TOOL);
  const { data } = await embeddings.create({ model, input: ['Hi', 'Hi'] });
  assert.equal(data.length, 2);
  assert.deepEqual(data[0]?.embedding, data[1]?.embedding);
});

const compatible = createOpenAICompatible({
  name: 'fairlead',
  ...access,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
for (const [client, languageModel] of [
  ['@ai-sdk/openai', createOpenAI(access).chat(model)],
  ['@ai-sdk/openai-compatible', compatible(model)],
] as const) {
  test(`${client}: text, stream, tools, structured output`, async () => {
    const params = { model: languageModel, prompt: QUESTION };
    assert.equal((await generateText(params)).text, ECHO);
    assert.equal(await streamText(params).text, ECHO);
    const weather = tool({ inputSchema: City, execute: sayWeather });
    const looped = await generateText({ ...params, tools: { weather }, stopWhen: stepCountIs(3) });
    assert.equal(looped.text, AFTER_TOOL);
    const { output } = await generateText({ ...params, output: Output.object({ schema: Person }) });
    assert.deepEqual(output, MADE);
  });
}

test('@langchain/openai: text, stream, tools, structured output', async () => {
  const { apiKey, baseURL } = access;
  const chat = new ChatOpenAI({ model, apiKey, configuration: { baseURL } });
  assert.equal((await chat.invoke(QUESTION)).text, ECHO);
  let streamed = '';
  for await (const chunk of await chat.stream(QUESTION)) streamed += chunk.text;
  assert.equal(streamed, ECHO);
  const weather = langChainTool(sayWeather, { name: 'weather', schema: City });
  const { tool_calls: calls } = await chat.bindTools([weather]).invoke(QUESTION);
  assert.deepEqual(
    calls?.map(({ name, args }) => [name, args]),
    [['weather', { city: QUESTION }]],
  );
  assert.deepEqual(await chat.withStructuredOutput(Person, { name: 'person' }).invoke(QUESTION), MADE);
});

test('every call is in the usage records', async () => {
  const records = await gateway.calls(15);
  for (const { target, outcome, usage } of records) {
    assert.deepEqual([target, outcome], ['echo/echo', 'ok']);
    assert.ok(usage && usage.input > 0 && usage.estimated === undefined);
  }
});
