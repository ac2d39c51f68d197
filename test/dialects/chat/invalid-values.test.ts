import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { chatEmbeddings } from '../../../src/dialects/chat/embeddings.ts';
import { chat } from '../../../src/dialects/chat/index.ts';

const HI = { role: 'user', content: 'Hi' };

function isRefusalOf(param: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof GatewayError && error.kind === 'invalid_request' && error.param === param;
}

function decode(fields: JsonObject): ReturnType<typeof chat.decodeRequest> {
  return chat.decodeRequest({ model: 'm', messages: [HI], ...fields }, {});
}

/** What OpenAI's API refuses, whoever would be asked in its place. */
const REFUSED: [field: string, value: JsonValue, param?: string][] = [
  ['n', 0],
  ['n', 129],
  ['n', 1.5],
  ['n', -1],
  ['max_tokens', 0],
  ['max_completion_tokens', -5],
  ['max_completion_tokens', 1.5],
  ['temperature', -0.1],
  ['temperature', 2.1],
  ['top_p', 1.1],
  ['frequency_penalty', -2.1],
  ['presence_penalty', 3],
  ['top_logprobs', 21],
  ['seed', 0.5],
  ['reasoning_effort', 'ultra'],
  ['reasoning_effort', ''],
  ['reasoning_effort', 'constructor'],
  ['reasoning', { effort: 'ultra' }, 'reasoning.effort'],
];
for (const [field, value, param = field] of REFUSED) {
  test(`${field}: ${JSON.stringify(value)} is refused`, () => {
    assert.throws(() => decode({ [field]: value }), isRefusalOf(param));
  });
}

const TAKEN: [field: string, values: JsonValue[]][] = [
  ['n', [1, 128, null]],
  ['max_tokens', [1]],
  ['temperature', [0, 2]],
  ['top_p', [0, 1]],
  ['frequency_penalty', [-2, 2]],
  ['top_logprobs', [0, 20]],
  ['seed', [-1, 9007199254740991]],
  ['reasoning_effort', ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', null]],
];
for (const [field, values] of TAKEN) {
  test(`${field} is taken to its bounds`, () => {
    for (const value of values) decode({ [field]: value });
  });
}

test('the effort that Groq calls default leaves the matter to the model, and goes back as it was said', () => {
  const conversation = decode({ reasoning_effort: 'default' });
  assert.equal(conversation.reasoning?.effort, undefined);
  assert.equal(chat.encodeRequest(conversation, 'm').body['reasoning_effort'], 'default');
});

for (const url of ['file:///etc/passwd', 'ftp://a/b.png', '/etc/passwd', 'javascript:alert(1)', '']) {
  test(`media at '${url}' are refused`, () => {
    const image = { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
    assert.throws(() => decode({ messages: [image] }), isRefusalOf('messages[0].content[0].image_url.url'));
    const video = { role: 'user', content: [{ type: 'video_url', video_url: { url } }] };
    assert.throws(() => decode({ messages: [video] }), isRefusalOf('messages[0].content[0].video_url'));
    const made = { role: 'assistant', content: 'a', images: [{ type: 'image_url', image_url: { url } }] };
    assert.throws(() => decode({ messages: [HI, made] }), isRefusalOf('messages[1].images[0].image_url.url'));
  });
}

for (const url of ['http://a/b.png', 'HTTPS://a/b.png', 'gs://bucket/b.png']) {
  test(`media at '${url}' are taken`, () => {
    decode({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });
  });
}

for (const dimensions of [0, -1, 1.5]) {
  test(`embeddings of ${dimensions} dimensions are refused`, () => {
    assert.throws(
      () => chatEmbeddings.decodeRequest({ model: 'm', input: 'a', dimensions }),
      isRefusalOf('dimensions'),
    );
  });
}
