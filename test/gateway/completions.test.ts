import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import type { Completion, CompletionCreateParamsNonStreaming } from 'openai/resources/completions';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAzureModels } from '../support/fake-azure-models.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { COMPLETES } from '../support/openai/completions.ts';
import { KIN, type KinName } from '../support/openai/kin.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/** Text completions where the provider has them itself. */
const kin = new Map(
  await Promise.all(
    (Object.keys(KIN) as KinName[]).map(
      async (name) => [name, await startFakeOpenAi({ kin: name, models: ['grok-3'] })] as const,
    ),
  ),
);
const openai = await startFakeOpenAi();
const compatible = await startFakeOpenAi({ compatible: true });
const azure = await startFakeAzureModels();
/** Says the usage beside the texts, and breaks off after the first of two answers unless it is asked for something to follow. */
const raw = await startRawUpstream((response, text) => {
  response.setHeader('content-type', 'text/event-stream');
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  for (const index of text.includes('whole') ? [0, 1] : [0]) {
    const choices = [{ index, text: 'a', logprobs: null, finish_reason: 'stop' }];
    response.write(`data: ${JSON.stringify({ id: 'c', object: 'text_completion', choices, usage })}\n\n`);
  }
  response.end();
});
const KEY = 'sk-narrow-0123456789abcdef0123456789abcdef';
const accountsOf = ({ apiKey }: FakeProvider) => [{ name: 'main', apiKey }];
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: openai.url, accounts: accountsOf(openai) },
    server: { adapter: 'openai-compatible', baseUrl: compatible.url, accounts: accountsOf(compatible) },
    'azure-openai': {
      baseUrl: azure.url,
      accounts: accountsOf(azure),
      deployments: { 'gpt-3.5-turbo-instruct': 'babbage-002' },
    },
    raw: { adapter: 'vllm', baseUrl: raw.baseUrl, accounts: [{ name: 'main', apiKey: 'k' }] },
    ...Object.fromEntries(
      [...kin].map(([name, fake]) => [name, { baseUrl: fake.url, accounts: accountsOf(fake) }]),
    ),
  },
  models: {
    warm: { targets: [{ target: 'vllm/gpt-4.1', parameters: { maxOutputTokens: 2, temperature: 0.5 } }] },
  },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    globex: {
      models: ['*'],
      keys: [{ name: 'app', secret: KEY }],
      limits: { tokensPerMinute: 1_000 },
    },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([...kin.values(), openai, compatible, azure, raw].map((fake) => fake.close()));
});
const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });

const VLLM = 'vllm/gpt-4.1';
const SERVER = 'server/gpt-4.1';
const INSTRUCT = 'openai/gpt-3.5-turbo-instruct';

function lastOf(fake: FakeProvider | undefined): { path: string; body: JsonObject } {
  const last = fake?.requests.at(-1);
  assert.ok(last && isObject(last.body));
  return { path: last.path, body: last.body };
}

async function readStream(params: CompletionCreateParamsNonStreaming, usage = true): Promise<Completion[]> {
  const chunks: Completion[] = [];
  const asked = usage ? { stream_options: { include_usage: true } } : {};
  for await (const chunk of await client.completions.create({ ...params, stream: true, ...asked })) {
    chunks.push(chunk);
  }
  return chunks;
}

/** What a good stream of the target used, once that is recorded. */
async function recordedStream(target: string): Promise<UsageRecord['usage']> {
  for (let count = 1; ; count += 1) {
    const calls = await gateway.calls(count);
    const call = calls.find((one) => one.stream && one.outcome === 'ok' && one.target === target);
    if (call) return call.usage;
    count = calls.length;
  }
}

const ALL = { prompt: ['one', 'two'], suffix: 'end', echo: true, logprobs: 2 };

describe('what no chat can say goes to a provider that has text completions', () => {
  for (const name of COMPLETES) {
    test(`${name}: as it came, but for the model`, async () => {
      // xAI has it for models that do not reason.
      const model = name === 'xai' ? 'grok-3' : 'gpt-4.1';
      const { choices, object, usage } = await client.completions.create({
        model: `${name}/${model}`,
        ...ALL,
      });
      assert.equal(object, 'text_completion');
      assert.deepEqual(
        choices.map(({ text, index, logprobs }) => [text, index, logprobs?.tokens?.length]),
        [
          ['oneEcho: one', 0, 2],
          ['twoEcho: two', 1, 2],
        ],
      );
      assert.equal(usage?.completion_tokens, 4);
      const { path, body } = lastOf(kin.get(name));
      assert.equal(path, name === 'deepseek' ? '/beta/completions' : '/v1/completions');
      assert.deepEqual(body, { model, ...ALL });
    });
  }

  for (const [param, change] of [
    ['suffix', { suffix: 'end' }],
    ['echo', { echo: true }],
    ['logprobs', { logprobs: 0 }],
    ['best_of', { best_of: 2 }],
    ['several prompts', { prompt: ['a', 'b'] }],
    ['token ids', { prompt: [1, 2] }],
    ['prompts of token ids', { prompt: [[1], [2, 3]] }],
  ] as const) {
    test(`any server: ${param}`, async () => {
      await client.completions.create({ model: SERVER, prompt: 'it', ...(change as object) });
      const { path, body } = lastOf(compatible);
      assert.equal(path, '/v1/completions');
      assert.deepEqual(body, { model: 'gpt-4.1', prompt: 'it', ...change });
    });
  }

  test('OpenAI has it for its models of that kind alone', async () => {
    const { choices } = await client.completions.create({ model: INSTRUCT, prompt: 'it', suffix: 'end' });
    assert.equal(choices[0]?.text, 'Echo: it');
    assert.equal(lastOf(openai).path, '/v1/completions');
    await assert.rejects(
      client.completions.create({ model: 'openai/gpt-4.1', prompt: 'it', suffix: 'end' }),
      (error) => error instanceof BadRequestError && error.param === 'suffix',
    );
  });

  test('Azure has it for the same, at the name of its deployment', async () => {
    await client.completions.create({ model: 'azure-openai/gpt-3.5-turbo-instruct', prompt: 'it' });
    const { path, body } = lastOf(azure);
    assert.deepEqual([path, body['model']], ['/openai/v1/completions', 'babbage-002']);
  });

  for (const name of [...kin.keys()].filter((one) => !COMPLETES.has(one))) {
    test(`${name} has no such thing, and the caller is told what cannot be had`, async () => {
      const before = kin.get(name)?.requests.length;
      await assert.rejects(
        client.completions.create({ model: `${name}/gpt-4.1`, prompt: 'Hi', suffix: 'end' }),
        (error) => error instanceof BadRequestError && error.param === 'suffix',
      );
      assert.equal(kin.get(name)?.requests.length, before);
    });
  }
});

describe('what a chat can say', () => {
  for (const [model, fake, path] of [
    [VLLM, kin.get('vllm'), '/v1/completions'],
    [INSTRUCT, openai, '/v1/completions'],
    [SERVER, compatible, '/v1/chat/completions'],
    ['deepseek/gpt-4.1', kin.get('deepseek'), '/v1/chat/completions'],
    ['openai/gpt-4.1', openai, '/v1/chat/completions'],
  ] as const) {
    test(`goes to ${path} at ${model}`, async () => {
      const { choices } = await client.completions.create({ model, prompt: 'it', suffix: null });
      assert.deepEqual([choices[0]?.text, choices[0]?.finish_reason], ['Echo: it', 'stop']);
      assert.equal(lastOf(fake).path, path);
    });
  }

  test('is filled with the defaults of its target, in the words of the endpoint', async () => {
    const { choices } = await client.completions.create({ model: 'warm', prompt: 'one two three' });
    assert.equal(choices[0]?.finish_reason, 'length');
    assert.deepEqual(lastOf(kin.get('vllm')).body, {
      model: 'gpt-4.1',
      prompt: 'one two three',
      max_tokens: 2,
      temperature: 0.5,
    });
    await client.completions.create({ model: 'warm', prompt: 'one', max_tokens: 9 });
    assert.equal(lastOf(kin.get('vllm')).body['max_tokens'], 9);
  });
});

describe('streams', () => {
  const params = { model: VLLM, prompt: ['one', 'two'] };

  test('say the answers to all prompts, and what they used where that was asked for', async () => {
    const chunks = await readStream(params);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    assert.deepEqual(
      choices.map(({ text, index, finish_reason: finish }) => [index, text, finish]),
      [
        [0, 'Echo:', null],
        [0, ' one', null],
        [0, '', 'stop'],
        [1, 'Echo:', null],
        [1, ' two', null],
        [1, '', 'stop'],
      ],
    );
    assert.equal(chunks.at(-1)?.usage?.completion_tokens, 4);
  });

  test('hide what was used from those who did not ask, but it is recorded', async () => {
    const chunks = await readStream(params, false);
    assert.ok(chunks.every(({ usage, choices }) => (usage ?? null) === null && choices.length === 1));
    const beside = await readStream({ model: 'raw/m', prompt: ['whole', 'b'] }, false);
    assert.ok(beside.every(({ usage }) => (usage ?? null) === null));
    for (const [target, output] of [
      [VLLM, 4],
      ['raw/m', 1],
    ] as const) {
      const usage = await recordedStream(target);
      assert.deepEqual([usage?.output, usage?.estimated ?? false], [output, false]);
    }
  });

  test('that break off between two answers are no answer', async () => {
    const prompt = ['one', 'two'];
    await assert.rejects(readStream({ model: 'raw/m', prompt }), OpenAI.APIError);
    assert.equal(
      (await readStream({ model: 'raw/m', prompt, echo: false, n: 1, suffix: 'whole' })).length,
      2,
    );
  });

  test('that fail on their way raise an error', async () => {
    const prompt = 'error mid-stream\nslow 1 ms per chunk\nlong 20';
    await assert.rejects(readStream({ model: VLLM, prompt }), OpenAI.APIError);
  });
});

test('failures keep their status', async () => {
  await assert.rejects(
    client.completions.create({ model: VLLM, prompt: 'fail 429\nHi' }),
    OpenAI.RateLimitError,
  );
  await assert.rejects(client.completions.create({ model: VLLM, prompt: 'fail 404\nHi' }), NotFoundError);
});

test('each prompt may come to as much as the limit says', async () => {
  const narrow = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 0 });
  const prompt = ['a', 'b', 'c'];
  await assert.rejects(
    narrow.completions.create({ model: VLLM, prompt, max_tokens: 400 }),
    (error) => error instanceof OpenAI.RateLimitError && /may use 19\d\d/.test(error.message),
  );
  const { choices } = await narrow.completions.create({ model: VLLM, prompt, max_tokens: 60 });
  assert.equal(choices.length, 3);
});
