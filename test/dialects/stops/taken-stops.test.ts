import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import { QuirkedChat } from '../../../src/dialects/chat/quirked-chat.ts';
import type { EncodedRequest, UpstreamDialect } from '../../../src/dialects/dialect.ts';
import { DIALECTS } from '../../../src/dialects/registry.ts';
import { loadDeclarations } from '../../../src/upstream/load-declarations.ts';

const { chat, responses, messages, gemini, converse } = DIALECTS;
const xai = (await loadDeclarations()).find(({ name }) => name === 'xai');
assert.ok(xai?.quirks);

const CLAUDE_ON_BEDROCK = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
const NOVA = 'amazon.nova-pro-v1:0';

function stops(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `s${index}`);
}

/** The same wish in the words of each door that has any for it. */
function asked(stop: string[]): Conversation[] {
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
  const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
  return [
    chat.decodeRequest({ ...body, stop }, {}),
    messages.decodeRequest({ ...body, max_tokens: 99, stop_sequences: stop }, {}),
    gemini.decodeRequest({ contents, generationConfig: { stopSequences: stop } }, { model: 'm' }),
  ];
}

function toldOf({ body }: EncodedRequest): unknown {
  const { generationConfig, inferenceConfig } = body as Record<string, Record<string, unknown> | undefined>;
  return (
    body['stop'] ??
    body['stop_sequences'] ??
    generationConfig?.['stopSequences'] ??
    inferenceConfig?.['stopSequences']
  );
}

const MOST: [target: string, dialect: UpstreamDialect, model: string, most: number][] = [
  ['OpenAI', chat, 'gpt-4.1', 4],
  ['OpenAI', chat, 'gpt-5', 0],
  ['OpenAI', chat, 'o3', 0],
  ['OpenAI', chat, 'o3-mini', 4],
  ['the Responses API', responses, 'gpt-5-codex', 0],
  ['xAI', new QuirkedChat(xai.quirks).dialect, 'grok-4', 0],
];
for (const [target, dialect, model, most] of MOST) {
  test(`${model} of ${target} is told ${most} stop sequences, and the answer is cut at the others`, () => {
    for (const conversation of asked(stops(most + 2))) {
      const encoded = dialect.encodeRequest(conversation, model);
      assert.deepEqual(toldOf(encoded), most === 0 ? undefined : stops(most));
      assert.deepEqual(encoded.cutAt, stops(most + 2).slice(most));
      assert.doesNotMatch(encoded.dropped.join(), /stop/i);
    }
    for (const conversation of most > 0 ? asked(stops(most)) : []) {
      const encoded = dialect.encodeRequest(conversation, model);
      assert.deepEqual([toldOf(encoded), encoded.cutAt], [stops(most), undefined]);
    }
  });
}

test('Gemini is told five, and its own callers’ as they are', () => {
  for (const conversation of asked(stops(6))) {
    const { cutAt, ...encoded } = gemini.encodeRequest(conversation, 'gemini-2.5-pro');
    const isOwn = conversation.dialect === 'gemini';
    assert.deepEqual([toldOf({ ...encoded }), cutAt], isOwn ? [stops(6), undefined] : [stops(5), ['s5']]);
  }
});

test('an open server is told all, and so is a model of xAI that does not reason', () => {
  const { dialect } = new QuirkedChat(xai.quirks ?? {});
  for (const conversation of asked(stops(6))) {
    for (const encoded of [
      chat.encodeRequest(conversation, 'llama'),
      dialect.encodeRequest(conversation, 'grok-4-fast-non-reasoning'),
    ])
      assert.deepEqual([toldOf(encoded), encoded.cutAt], [stops(6), undefined]);
  }
});

test('Claude is told none of nothing but white space, which it refuses', () => {
  const isTold: [UpstreamDialect, string, boolean][] = [
    [messages, 'claude-sonnet-4-5', false],
    [converse, CLAUDE_ON_BEDROCK, false],
    [converse, NOVA, true],
  ];
  for (const [dialect, model, told] of isTold) {
    for (const conversation of asked(['\n\n', 'END', '', ' \t'])) {
      const encoded = dialect.encodeRequest(conversation, model);
      assert.deepEqual(toldOf(encoded), told ? ['\n\n', 'END', ' \t'] : ['END']);
      assert.deepEqual(encoded.cutAt, told ? undefined : ['\n\n', ' \t']);
    }
    const [alone] = asked(['\n']);
    assert.ok(alone);
    assert.deepEqual(toldOf(dialect.encodeRequest(alone, model)), told ? ['\n'] : undefined);
  }
});

test('empty ones are no sequences, and do not count', () => {
  const [conversation] = asked(['', ...stops(4)]);
  assert.ok(conversation);
  const encoded = chat.encodeRequest(conversation, 'gpt-4.1');
  assert.deepEqual([toldOf(encoded), encoded.cutAt], [stops(4), undefined]);
  const [empty] = asked(['']);
  assert.ok(empty);
  const none = chat.encodeRequest(empty, 'gpt-5');
  assert.deepEqual([toldOf(none), none.cutAt], [undefined, undefined]);
});

test('more than the gateway looks for is refused in the caller’s words', () => {
  const params = asked(['x'.repeat(10_001)]).map((conversation) => {
    try {
      chat.encodeRequest(conversation, 'gpt-5');
      return undefined;
    } catch (thrown) {
      const { kind, code, param } = thrown as Record<string, unknown>;
      assert.deepEqual([kind, code], ['invalid_request', 'unsupported_parameter']);
      return param;
    }
  });
  assert.deepEqual(params, ['stop', 'stop_sequences', 'generationConfig.stopSequences']);
});
