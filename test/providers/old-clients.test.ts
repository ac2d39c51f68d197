import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';

/*
 * Clients that were written for an earlier model, unchanged, against strict providers that refuse what the real model refuses: through a
 * name whose model was upgraded, and in the provider's own dialect, so that their bytes pass through.
 */

const KEY = 'upstream-key-0123456789';
const openai = await startFakeOpenAi({ apiKey: KEY });
const anthropic = await startFakeAnthropic({ apiKey: KEY });
const gemini = await startFakeGemini({ apiKey: KEY });

const CHAT = [
  'gpt-4.1',
  'o3-mini',
  'o4-mini',
  'gpt-5',
  'gpt-5.1',
  'gpt-5.4-mini',
  'gpt-6-luna',
  'gpt-6-astra',
];
const CLAUDE = [
  'claude-3-haiku-20240307',
  'claude-sonnet-4-0',
  'claude-opus-4-5',
  'claude-sonnet-4-6',
  'claude-opus-4-7',
  'claude-opus-4-8',
];
const GEMINI = [
  'gemini-2.0-flash',
  'gemini-2.5-flash',
  'gemini-2.5-pro',
  'gemini-3-flash-preview',
  'gemini-3-pro-preview',
];

const named = (provider: string, models: readonly string[]) =>
  models.map((model) => [`on-${model}`, { targets: [`${provider}/${model}`] }] as const);

const accounts = [{ name: 'main', apiKey: KEY }];
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: openai.url, accounts },
    anthropic: { baseUrl: anthropic.url, accounts },
    gemini: { baseUrl: gemini.url, accounts },
  },
  models: Object.fromEntries([
    ...named('openai', CHAT),
    ...named('anthropic', CLAUDE),
    ...named('gemini', GEMINI),
  ]),
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai, anthropic, gemini].map(({ close }) => close()));
});

const oai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const claude = new Anthropic({
  ...{ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 },
  // The version that clients of that time name.
  defaultHeaders: { 'anthropic-version': '2023-06-01' },
});
const google = new GoogleGenAI({ apiKey: TEST_KEY, httpOptions: { baseUrl: gateway.url } });

/** The record of the newest call, as `GET /admin/v1/calls/ID` has it. */
async function adaptedOf(id: string | null): Promise<Record<string, string | null> | undefined> {
  for (let waited = 0; waited < 200; waited++) {
    const response = await gateway.get(`/admin/v1/calls/${id}`, ADMIN_KEY);
    if (response.status === 200) return ((await response.json()) as UsageRecord).attempts[0]?.adapted;
    await response.arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the call was never recorded');
}

/** What is left out or said otherwise for a model of what a client of GPT-4.1 says. */
const NO_SAMPLING = {
  ...{ temperature: null, top_p: null, presence_penalty: null, frequency_penalty: null },
  ...{ logit_bias: null, logprobs: null, top_logprobs: null },
};
const AS_COMPLETION_TOKENS = { max_tokens: 'max_completion_tokens' };
const CHAT_ADAPTED: Record<string, Record<string, string | null> | undefined> = {
  'gpt-4.1': undefined,
  'gpt-5.1': AS_COMPLETION_TOKENS,
  'gpt-5.4-mini': AS_COMPLETION_TOKENS,
};

for (const model of CHAT) {
  for (const stream of [false, true]) {
    test(`a chat client of GPT-4.1 works at ${model}${stream ? ', streamed' : ''}`, async () => {
      const { response, data } = await oai.chat.completions
        .create({
          model: `on-${model}`,
          messages: [
            { role: 'system', content: 'Be short.' },
            { role: 'user', content: 'Hi' },
          ],
          ...{ temperature: 0.2, top_p: 0.9, max_tokens: 50, presence_penalty: 0.1, frequency_penalty: 0.1 },
          ...{ logit_bias: { '50256': -100 }, logprobs: true, top_logprobs: 2, stream },
        })
        .withResponse();
      if (stream) for await (const _ of data as AsyncIterable<unknown>);
      const expected =
        model in CHAT_ADAPTED ? CHAT_ADAPTED[model] : { ...AS_COMPLETION_TOKENS, ...NO_SAMPLING };
      assert.deepEqual(await adaptedOf(response.headers.get('x-request-id')), expected);
      const dropped = response.headers.get('x-fairlead-dropped')?.split(', ').sort();
      assert.deepEqual(
        dropped,
        expected?.['temperature'] === null ? Object.keys(NO_SAMPLING).sort() : undefined,
      );
    });
  }
}

for (const [model, effort, sent] of [
  ['gpt-4.1', 'high', null],
  ['gpt-5', 'none', 'reasoning_effort=minimal'],
  ['gpt-5.1', 'minimal', 'reasoning_effort=low'],
  ['gpt-5.4-mini', 'minimal', 'reasoning_effort=low'],
  ['o4-mini', 'xhigh', 'reasoning_effort=high'],
  ['gpt-6-astra', 'none', 'reasoning_effort=low'],
  ['gpt-5.1', 'high', undefined],
] as const) {
  test(`the effort '${effort}' at ${model} is one that it takes`, async () => {
    const { response } = await oai.chat.completions
      .create({
        ...{ model: `on-${model}`, messages: [{ role: 'user', content: 'Hi' }] },
        reasoning_effort: effort as 'high',
      })
      .withResponse();
    const adapted = await adaptedOf(response.headers.get('x-request-id'));
    assert.deepEqual(adapted, sent === undefined ? undefined : { reasoning_effort: sent });
  });
}

for (const model of CHAT) {
  test(`a Responses client of GPT-4.1 works at ${model}`, async () => {
    const { response } = await oai.responses
      .create({ model: `on-${model}`, input: 'Hi', temperature: 0.2, top_p: 1, max_output_tokens: 50 })
      .withResponse();
    const takesAll = model in CHAT_ADAPTED;
    assert.equal(response.headers.get('x-fairlead-dropped'), takesAll ? null : 'temperature');
  });
}

test('a Responses client that asks for too much or too little effort gets what the model has', async () => {
  const { response } = await oai.responses
    .create({ model: 'on-gpt-5.1', input: 'Hi', reasoning: { effort: 'xhigh', summary: 'auto' } })
    .withResponse();
  assert.deepEqual(await adaptedOf(response.headers.get('x-request-id')), {
    'reasoning.effort': 'reasoning.effort=high',
  });
});

const HI: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hi' }];

const CLAUDE_SAMPLING: Record<string, Record<string, null> | undefined> = {
  'claude-opus-4-5': { top_p: null },
  'claude-sonnet-4-6': { top_p: null },
  'claude-opus-4-7': { temperature: null, top_p: null, top_k: null },
  'claude-opus-4-8': { temperature: null, top_p: null, top_k: null },
};

for (const model of CLAUDE) {
  test(`a client of Claude 3 works at ${model}, with its sampling and its tools`, async () => {
    const { response, data } = await claude.messages
      .create({
        ...{ model: `on-${model}`, max_tokens: 100, messages: HI, temperature: 0.3, top_p: 0.9, top_k: 40 },
      })
      .withResponse();
    assert.equal(data.role, 'assistant');
    assert.deepEqual(await adaptedOf(response.headers.get('x-request-id')), CLAUDE_SAMPLING[model]);
  });

  if (model === 'claude-3-haiku-20240307') continue;
  test(`a client that has Claude 3.7 edit text works at ${model}: the tool keeps its name`, async () => {
    const { response } = await claude.messages
      .create({
        ...{ model: `on-${model}`, max_tokens: 100, messages: HI },
        tools: [
          { type: 'text_editor_20250124', name: 'str_replace_editor' },
          { name: 'look', description: 'Looks', input_schema: { type: 'object', properties: {} } },
        ],
      })
      .withResponse();
    assert.deepEqual(await adaptedOf(response.headers.get('x-request-id')), { 'tools[0].type': 'custom' });
    const sent = anthropic.requests.at(-1)?.body as { tools: { name: string; type?: string }[] };
    assert.deepEqual(
      sent.tools.map(({ name, type }) => [name, type]),
      [
        ['str_replace_editor', undefined],
        ['look', undefined],
      ],
    );
  });
}

for (const [model, adapted] of [
  ['claude-sonnet-4-0', undefined],
  ['claude-sonnet-4-6', undefined],
  ['claude-opus-4-7', { 'thinking.budget_tokens': 'output_config.effort=medium' }],
  ['claude-opus-4-8', { 'thinking.budget_tokens': 'output_config.effort=medium' }],
] as const) {
  test(`a budget of thinking works at ${model}, and its thoughts are told`, async () => {
    const { response, data } = await claude.messages
      .create({
        ...{
          model: `on-${model}`,
          max_tokens: 12_000,
          messages: [{ role: 'user', content: 'think about sums' }],
        },
        thinking: { type: 'enabled', budget_tokens: 8_000 },
      })
      .withResponse();
    assert.deepEqual(await adaptedOf(response.headers.get('x-request-id')), adapted);
    const thought = data.content.find((block) => block.type === 'thinking');
    assert.ok(thought?.type === 'thinking' && thought.thinking !== '', JSON.stringify(data.content));
  });
}

const GEMINI_ADAPTED: Record<string, string[]> = {
  'gemini-2.0-flash': [],
  'gemini-2.5-flash': ['presencePenalty', 'frequencyPenalty', 'responseLogprobs', 'logprobs'],
};

for (const model of GEMINI) {
  test(`a client of Gemini 2.0 works at ${model}`, async () => {
    const answer = await google.models.generateContent({
      model: `on-${model}`,
      contents: 'Hi',
      config: {
        ...{ temperature: 0.2, topP: 0.9, topK: 40, maxOutputTokens: 200 },
        ...{ presencePenalty: 0.1, frequencyPenalty: 0.1, responseLogprobs: true, logprobs: 2 },
      },
    });
    const names = GEMINI_ADAPTED[model] ?? GEMINI_ADAPTED['gemini-2.5-flash'] ?? [];
    const expected = Object.fromEntries(names.map((name) => [`generationConfig.${name}`, null]));
    const id = answer.sdkHttpResponse?.headers?.['x-request-id'] ?? null;
    assert.deepEqual(await adaptedOf(id), names.length === 0 ? undefined : expected);
  });
}

for (const [model, thinkingConfig, adapted] of [
  ['gemini-2.5-flash', { thinkingBudget: 0 }, undefined],
  ['gemini-2.5-pro', { thinkingBudget: 0 }, { thinkingBudget: 'thinkingBudget=128' }],
  ['gemini-3-flash-preview', { thinkingBudget: 0 }, { thinkingLevel: 'thinkingLevel=MINIMAL' }],
  ['gemini-3-pro-preview', { thinkingBudget: 0 }, { thinkingLevel: 'thinkingLevel=LOW' }],
  ['gemini-3-pro-preview', { thinkingBudget: 2_000 }, undefined],
  ['gemini-2.5-flash', { thinkingLevel: 'LOW' }, { thinkingLevel: 'thinkingBudget=1024' }],
] as const) {
  test(`thinking as ${JSON.stringify(thinkingConfig)} works at ${model}`, async () => {
    const answer = await google.models.generateContent({
      model: `on-${model}`,
      contents: 'Hi',
      config: { thinkingConfig: thinkingConfig as { thinkingBudget: number } },
    });
    const expected =
      adapted &&
      Object.fromEntries(
        Object.entries(adapted).map(([from, to]) =>
          [from, to].map((name) => `generationConfig.thinkingConfig.${name}`),
        ),
      );
    const id = answer.sdkHttpResponse?.headers?.['x-request-id'] ?? null;
    assert.deepEqual(await adaptedOf(id), expected);
  });
}
