import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const OTHERS = [
  ['chat', chat, 'gpt-4.1'],
  ['gemini', gemini, 'gemini-3-flash-preview'],
  ['responses', responses, 'gpt-4.1'],
  ['converse', converse, 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
] as const;

const USER = { role: 'user', content: 'Hi' };
const ASSISTANT = { role: 'assistant', content: 'So' };
const CALL = { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] };
const RESULT = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: '1' }] };
const ONCE = { role: 'system', content: 'BE BRIEF', clear_at: 'next_user_message' };

const said = (...turns: JsonObject[]) =>
  messages.decodeRequest({ model: 'm', max_tokens: 99, messages: turns }, {});

for (const [name, dialect, model] of OTHERS) {
  describe(`a system message between turns, at ${name}`, () => {
    const encode = (...turns: JsonObject[]) => {
      const { body, dropped } = dialect.encodeRequest(said(...turns), model);
      return { text: JSON.stringify(body), dropped };
    };

    test('is not told any more once the user said more, where it was for one turn', () => {
      for (const turns of [
        [USER, ONCE, ASSISTANT, USER],
        [USER, ONCE, CALL, RESULT],
      ]) {
        const { text, dropped } = encode(...turns);
        assert.doesNotMatch(text, /BE BRIEF/);
        assert.deepEqual(dropped, []);
      }
    });

    test('is told until then, and where it is for all turns', () => {
      for (const turns of [
        [USER, ONCE],
        [USER, { ...ONCE, clear_at: 'never' }, ASSISTANT, USER],
        [USER, { ...ONCE, clear_at: null }, ASSISTANT, USER],
      ]) {
        const { text, dropped } = encode(...turns);
        assert.match(text, /BE BRIEF/);
        assert.deepEqual(dropped, []);
      }
    });

    test('is told and named where nobody knows yet for how long it is', () => {
      const { text, dropped } = encode(USER, { ...ONCE, clear_at: 'tomorrow' }, ASSISTANT, USER);
      assert.match(text, /BE BRIEF/);
      assert.deepEqual(dropped, ['messages[1].clear_at']);
    });

    test('is left out, and its effort named, where it holds no text', () => {
      const config = { role: 'system', output_config: { effort: 'low' } };
      const plain = encode(USER).text;
      for (const empty of [config, { ...config, content: [] }, { ...config, content: '' }]) {
        const { text, dropped } = encode(USER, empty);
        assert.equal(text, plain);
        assert.deepEqual(dropped, ['messages[1].output_config']);
      }
    });

    test('changes what tools there are, also where its text was for one turn', () => {
      const change = { type: 'tool_removal', tool: { type: 'tool_reference', name: 'f' } };
      const both = { ...ONCE, content: [{ type: 'text', text: 'BE BRIEF' }, change] };
      assert.throws(() => encode(USER, both, ASSISTANT, USER), { param: 'messages[1].content[1]' });
    });
  });
}

test('Anthropic gets each of its system messages as it came', () => {
  const effort = { role: 'system', content: [], output_config: { effort: 'low' } };
  const text = { type: 'text', text: 'BE BRIEF' };
  const turns = [USER, { ...ONCE, content: [text] }, effort, { role: 'system', content: [text] }];
  const { body } = messages.encodeRequest(said(...turns, ASSISTANT, USER), 'claude-opus-4-8');
  assert.deepEqual((body['messages'] as JsonObject[]).slice(1, 4), turns.slice(1));
});

test('a message without content says at least how to answer', () => {
  for (const empty of [{ role: 'system' }, { role: 'user', output_config: { effort: 'low' } }]) {
    assert.throws(() => said(USER, empty), { kind: 'invalid_request', param: 'messages[1].content' });
  }
});
