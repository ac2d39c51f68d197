import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { startFakeAnthropic } from './fake-anthropic.ts';
import { startFakeGemini } from './fake-gemini.ts';
import { startFakeOpenAi } from './fake-openai.ts';
import type { FakeProvider } from './fake-provider.ts';

/** What the three fakes are for: the same question gets the same answer, each in its own dialect. */
interface Answer {
  text: string | null;
  calls: [name: string, args: unknown][];
  /** Input, cached input, output: sums that every dialect can tell. */
  tokens: [number, number, number];
}

let fakes: FakeProvider[];
let ask: Record<string, (text: string) => Promise<Answer>>;

before(async () => {
  const [openAi, anthropic, gemini] = await Promise.all([
    startFakeOpenAi(),
    startFakeAnthropic(),
    startFakeGemini(),
  ]);
  fakes = [openAi, anthropic, gemini];
  ask = { openai: askOpenAi(openAi), anthropic: askAnthropic(anthropic), gemini: askGemini(gemini) };
});
after(() => Promise.all(fakes.map((fake) => fake.close())));

const PARAMETERS = { type: 'object' as const, properties: { city: { type: 'string' } } };

function askOpenAi({ url, apiKey }: FakeProvider): (text: string) => Promise<Answer> {
  const client = new OpenAI({ baseURL: url, apiKey });
  return async (content) => {
    const { choices, usage } = await client.chat.completions.create({
      model: 'gpt-4.1-mini',
      messages: [
        { role: 'system', content: 'be kind' },
        { role: 'user', content },
      ],
      tools: [{ type: 'function', function: { name: 'weather', parameters: PARAMETERS } }],
      stop: 'HALT',
    });
    const calls = choices[0]?.message.tool_calls?.filter((call) => call.type === 'function') ?? [];
    return {
      text: choices[0]?.message.content ?? null,
      calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
      tokens: [
        usage?.prompt_tokens ?? 0,
        usage?.prompt_tokens_details?.cached_tokens ?? 0,
        usage?.completion_tokens ?? 0,
      ],
    };
  };
}

function askAnthropic({ url, apiKey }: FakeProvider): (text: string) => Promise<Answer> {
  const client = new Anthropic({ baseURL: url, apiKey });
  return async (text) => {
    const { content, usage } = await client.messages.create({
      model: 'claude-haiku-4-5',
      max_tokens: 500,
      system: 'be kind',
      messages: [{ role: 'user', content: text }],
      tools: [{ name: 'weather', input_schema: PARAMETERS }],
      stop_sequences: ['HALT'],
    });
    const said = content.find((block) => block.type === 'text');
    const cached = usage.cache_read_input_tokens ?? 0;
    const written = usage.cache_creation_input_tokens ?? 0;
    return {
      text: said?.text ?? null,
      calls: content.filter((block) => block.type === 'tool_use').map(({ name, input }) => [name, input]),
      tokens: [usage.input_tokens + cached + written, cached, usage.output_tokens],
    };
  };
}

function askGemini({ url, apiKey }: FakeProvider): (text: string) => Promise<Answer> {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
  return async (contents) => {
    const response = await client.models.generateContent({
      model: 'gemini-2.0-flash',
      contents,
      config: {
        systemInstruction: 'be kind',
        tools: [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: PARAMETERS }] }],
        stopSequences: ['HALT'],
      },
    });
    const parts = response.candidates?.[0]?.content?.parts ?? [];
    const usage = response.usageMetadata;
    return {
      text: parts.find((part) => part.text !== undefined)?.text ?? null,
      calls: parts.flatMap(({ functionCall: call }) => (call ? [[call.name ?? '', call.args]] : [])),
      tokens: [
        usage?.promptTokenCount ?? 0,
        usage?.cachedContentTokenCount ?? 0,
        (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
      ],
    };
  };
}

const CASES: [text: string, expected: Answer][] = [
  ['Grüße 👋', { text: 'Echo: Grüße 👋', calls: [], tokens: [5, 0, 3] }],
  ['a b\nusage cached 7\nusage cache-write 4', { text: 'Echo: a b', calls: [], tokens: [22, 7, 3] }],
  ['stop at HALT', { text: 'before ', calls: [], tokens: [6, 0, 1] }],
  ['say system', { text: 'System: be kind', calls: [], tokens: [5, 0, 3] }],
  [
    'call weather {"city":"Ulm"}\ncall weather {"city":"Bonn","__proto__":{"x":1}}',
    {
      text: null,
      calls: [
        ['weather', { city: 'Ulm' }],
        ['weather', JSON.parse('{"city":"Bonn","__proto__":{"x":1}}')],
      ],
      tokens: [9, 0, 2],
    },
  ],
];

for (const [text, expected] of CASES) {
  test(`the three dialects agree on ${JSON.stringify(text)}`, async () => {
    for (const [name, askOne] of Object.entries(ask)) assert.deepEqual(await askOne(text), expected, name);
  });
}
