import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/** What each provider says of a prompt that is too long for its model, under the name that it is configured by here. */
const SAID: Record<string, { adapter: string; error: object; message: string }> = {
  openai: {
    adapter: 'openai-compatible',
    error: {
      error: {
        message:
          "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    },
    message:
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
  },
  anthropic: {
    adapter: 'anthropic',
    error: {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'prompt is too long: 210118 tokens > 200000 maximum' },
    },
    message: 'prompt is too long: 210118 tokens > 200000 maximum',
  },
  gemini: {
    adapter: 'gemini',
    error: {
      error: {
        code: 400,
        message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
        status: 'INVALID_ARGUMENT',
      },
    },
    message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
  },
  kin: {
    adapter: 'openai-compatible',
    error: {
      object: 'error',
      message: 'Prompt too large for model with 32768 maximum context length',
      code: 3051,
    },
    message: 'Prompt too large for model with 32768 maximum context length',
  },
};

/** The words of others, each as a chat error. */
const WORDS: Record<string, string> = {
  xai: "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
  moonshot: 'Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)',
  together: "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
  ollama: 'prompt too long; exceeded max context length by 10 tokens',
  lmstudio: 'The number of tokens to keep from the initial prompt is greater than the context length.',
  alibaba: 'Range of input length should be [1, 98304]',
  tgi: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`',
  tgiInput: 'Input validation error: `inputs` must have less than 4096 tokens. Given: 5000',
  github: 'Request body too large for gpt-4o model. Max size: 8000 tokens.',
};
for (const [name, message] of Object.entries(WORDS)) {
  SAID[name] = {
    adapter: 'openai-compatible',
    error: { error: { message, type: 'invalid_request_error' } },
    message,
  };
}
/** What does not fit here is the answer that was asked for. */
const TOO_MUCH_OUTPUT =
  "'max_tokens' or 'max_completion_tokens' is too large: 65536. This model's maximum context length is 40960 tokens and your request has 14 input tokens";

const upstream = await startRawUpstream((response, _body, request) => {
  const name = String(request.url).split('/')[1] ?? '';
  response.writeHead(400, { 'content-type': 'application/json' });
  response.end(JSON.stringify(SAID[name]?.error ?? { error: { message: TOO_MUCH_OUTPUT } }));
});
const origin = new URL(upstream.baseUrl).origin;
const gateway = await startGateway({
  providers: Object.fromEntries(
    [...Object.entries(SAID), ['vllm', { adapter: 'openai-compatible' }] as const].map(
      ([name, { adapter }]) => [
        name,
        {
          adapter,
          baseUrl: `${origin}/${name}`,
          accounts: [{ name: 'main', apiKey: 'sk-upstream-0123456789' }],
        },
      ],
    ),
  ),
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function refusal(path: string, body: object): Promise<JsonObject> {
  const answer = await gateway.post(path, body);
  assert.equal(answer.status, 400);
  const { error } = (await answer.json()) as JsonObject;
  assert.ok(isObject(error));
  return error;
}

for (const [name, { message }] of Object.entries(SAID)) {
  const model = `${name}/m`;

  test(`a prompt too long for ${name} has OpenAI’s code at OpenAI’s doors`, async () => {
    const asked: [string, object][] = [
      ['/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] }],
      ['/v1/responses', { model, input: 'Hi' }],
      ['/v1/completions', { model, prompt: 'Hi' }],
    ];
    for (const [path, body] of asked) {
      const error = await refusal(path, body);
      const { type, code } = error;
      assert.deepEqual(
        { type, code, message: error['message'] },
        { type: 'invalid_request_error', code: 'context_length_exceeded', message },
      );
    }
  });

  test(`a prompt too long for ${name} is told in Anthropic’s words at Anthropic’s door`, async () => {
    const body = { model, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
    const error = await refusal('/v1/messages', body);
    const isOwn = name === 'anthropic';
    assert.deepEqual(error, {
      type: 'invalid_request_error',
      message: isOwn ? message : `prompt is too long: ${message}`,
    });
  });

  test(`a prompt too long for ${name} is told in Google’s words at Google’s door`, async () => {
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] };
    const error = await refusal(`/v1beta/models/${model}:generateContent`, body);
    const isOwn = name === 'gemini';
    assert.equal(error['status'], 'INVALID_ARGUMENT');
    assert.equal(
      error['message'],
      isOwn ? message : `The input token count exceeds the maximum number of tokens allowed: ${message}`,
    );
  });
}

test('an answer that is asked for and has no room is no prompt that is too long', async () => {
  const body = { model: 'vllm/m', max_tokens: 65_536, messages: [{ role: 'user', content: 'Hi' }] };
  assert.deepEqual((await refusal('/v1/messages', body))['message'], TOO_MUCH_OUTPUT);
  assert.notEqual((await refusal('/v1/chat/completions', body))['code'], 'context_length_exceeded');
});
