import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const OTHERS = [chat, messages, responses, converse];

for (const spelling of ['cachedContent', 'cached_content']) {
  test(`a cache of Gemini holds a part of the conversation: \`${spelling}\` is refused elsewhere`, () => {
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], [spelling]: 'cachedContents/1' };
    const conversation = gemini.decodeRequest(body, { model: 'm' });
    for (const dialect of OTHERS) {
      assert.throws(() => dialect.encodeRequest(conversation, 'any'), {
        kind: 'invalid_request',
        code: 'unsupported_parameter',
        param: 'cachedContent',
      });
    }
    assert.equal(gemini.encodeRequest(conversation, 'm').body['cachedContent'], 'cachedContents/1');
  });
}

test('a container of Anthropic’s that is named holds files of earlier turns', () => {
  const ask = (container: JsonValue) =>
    messages.decodeRequest(
      { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }], container },
      {},
    );
  for (const dialect of [chat, gemini, responses, converse]) {
    for (const container of ['c1', { id: 'c1', skills: [] }]) {
      assert.throws(() => dialect.encodeRequest(ask(container), 'any'), { param: 'container' });
    }
    const { dropped } = dialect.encodeRequest(ask({ skills: [{ skill_id: 'pdf' }] }), 'any');
    assert.deepEqual(dropped, ['container']);
  }
});

test('an empty name of a cache names none', () => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], cachedContent: '' };
  for (const dialect of OTHERS) {
    assert.deepEqual(dialect.encodeRequest(gemini.decodeRequest(body, { model: 'm' }), 'any').dropped, []);
  }
});
