import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const OTHERS = [
  ['chat', chat, 'gpt-4.1'],
  ['an open chat server', chat, 'llama'],
  ['gemini', gemini, 'gemini-3-flash-preview'],
  ['responses', responses, 'gpt-4.1'],
  // To Claude it has words for more: converse/anthropic-words.test.ts.
  ['converse', converse, 'us.amazon.nova-pro-v1:0'],
] as const;

const FACT: JsonObject = {
  type: 'search_result',
  title: 'Moon',
  source: 'https://moon.example',
  content: [{ type: 'text', text: 'THE FACT' }],
};
const AS_TEXT = 'Title: Moon\nSource: https://moon.example\n\nTHE FACT';

function said(...turns: [role: string, content: JsonValue][]) {
  const list = turns.map(([role, content]) => ({ role, content }));
  return messages.decodeRequest({ model: 'm', max_tokens: 99, messages: list }, {});
}

/** One call of a tool, and what it gave. */
function returned(content: JsonValue) {
  return said(
    ['user', 'Look'],
    ['assistant', [{ type: 'tool_use', id: 'a', name: 'look', input: {} }]],
    ['user', [{ type: 'tool_result', tool_use_id: 'a', content }]],
  );
}

function assertRefused(encode: () => unknown, path: string, type: string): void {
  assert.throws(encode, (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.kind, 'invalid_request');
    assert.equal(error.code, 'unsupported_content');
    assert.equal(error.param, path);
    assert.match(error.message, new RegExp(`'${type}'`));
    return true;
  });
}

/** All texts of a body, escapes undone. */
function textOf(body: JsonObject): string {
  return JSON.stringify(body).replaceAll('\\n', '\n').replaceAll('\\"', '"');
}

for (const [name, dialect, model] of OTHERS) {
  describe(`what only the Messages API has a block for, at ${name}`, () => {
    test('a search result is told as text', () => {
      const conversation = said(['user', [FACT, { type: 'text', text: 'What is the fact?' }]]);
      const { body, dropped } = dialect.encodeRequest(conversation, model);
      assert.ok(textOf(body).includes(AS_TEXT));
      assert.deepEqual(dropped, []);
    });

    test('a search result that a tool gave is told as text', () => {
      const { body, dropped } = dialect.encodeRequest(returned([FACT]), model);
      assert.ok(textOf(body).includes(AS_TEXT));
      assert.deepEqual(dropped, []);
    });

    test('a wish for citations of it is named as dropped', () => {
      const conversation = said(['user', [{ ...FACT, citations: { enabled: true } }]]);
      const { dropped } = dialect.encodeRequest(conversation, model);
      assert.deepEqual(dropped.filter((path) => path.endsWith('citations')).length, 1);
    });

    test('a document made of blocks is told as its blocks', () => {
      const source = { type: 'content', content: [{ type: 'text', text: 'PAGE ONE' }] };
      const conversation = said(['user', [{ type: 'document', source, title: 'Book', context: 'Old' }]]);
      const { body } = dialect.encodeRequest(conversation, model);
      assert.ok(textOf(body).includes('Title: Book\nContext: Old\n\nPAGE ONE'));
    });

    test('a text that is a document keeps its title, of the user and of a tool', () => {
      const source = { type: 'text', media_type: 'text/plain', data: 'PAGE ONE' };
      const titled = { type: 'document', source, title: 'Book', context: 'Old' };
      for (const conversation of [said(['user', [titled]]), returned([titled])]) {
        const { body, dropped } = dialect.encodeRequest(conversation, model);
        const isDocument = name === 'converse';
        assert.ok(
          textOf(body).includes(isDocument ? '"name":"Book"' : 'Title: Book\nContext: Old\n\nPAGE ONE'),
        );
        assert.equal(dropped.length, isDocument ? 1 : 0);
      }
      const cited = { ...titled, citations: { enabled: true }, cache_control: { type: 'ephemeral' } };
      const { dropped } = dialect.encodeRequest(said(['user', [cited]]), model);
      assert.ok(dropped.includes('messages[0].content[0].citations'));
      // Without a title it is what it was.
      const plain = dialect.encodeRequest(said(['user', [{ type: 'document', source }]]), model);
      assert.doesNotMatch(textOf(plain.body), /Title/);
      assert.deepEqual(plain.dropped, []);
    });

    test('a tool that a search found is told', () => {
      const { body } = dialect.encodeRequest(returned([{ type: 'tool_reference', tool_name: 'see' }]), model);
      assert.ok(textOf(body).includes('The tool see can be called.'));
    });

    test('the summary of what was compacted is told', () => {
      const summary = { type: 'compaction', content: 'They said hello.' };
      const { body } = dialect.encodeRequest(said(['assistant', [summary]], ['user', 'Go on']), model);
      assert.ok(textOf(body).includes('They said hello.'));
    });

    test('a block of the user that says nothing in words is refused by its place and type', () => {
      const conversation = said(['user', [{ type: 'container_upload', file_id: 'f' }]]);
      assertRefused(
        () => dialect.encodeRequest(conversation, model),
        'messages[0].content[0]',
        'container_upload',
      );
    });

    test('so is one in what a tool gave', () => {
      assertRefused(
        () => dialect.encodeRequest(returned([{ type: 'hologram' }]), model),
        'messages[2].content[0].content[0]',
        'hologram',
      );
    });
  });
}

test('the name of a file that a tool gave is named where Gemini has no word for it', () => {
  const source = { type: 'base64', media_type: 'application/pdf', data: 'JVBERg==' };
  const conversation = returned([{ type: 'document', source, title: 'Book' }]);
  const { dropped } = gemini.encodeRequest(conversation, 'gemini-3-flash-preview');
  assert.deepEqual(dropped, ['messages[2].content[0].content[0].title']);
});

test('Anthropic gets its blocks as they came', () => {
  const content = [FACT, { type: 'container_upload', file_id: 'f' }];
  const { body } = messages.encodeRequest(said(['user', content]), 'claude-sonnet-4-5');
  assert.deepEqual(body['messages'], [{ role: 'user', content }]);
});

describe('what a client’s own tools of the Responses API answered', () => {
  const CALL_ITEM = { type: 'shell_call', call_id: 'a', action: { commands: ['ls'] } };
  const OUTPUT = { type: 'shell_call_output', call_id: 'a', output: [] };
  const input = [{ role: 'user', content: 'Look' }, CALL_ITEM, OUTPUT];

  for (const [name, dialect, model] of OTHERS) {
    if (name === 'responses') continue;
    test(`is refused at ${name}`, () => {
      const conversation = responses.decodeRequest({ model: 'm', input }, {});
      assertRefused(() => dialect.encodeRequest(conversation, model), 'input[2]', 'shell_call_output');
    });
  }

  test('what OpenAI’s own tools did is named as dropped', () => {
    const item = { type: 'web_search_call', id: 'ws_1', status: 'completed' };
    const turns = [{ role: 'user', content: 'Look' }, item, { role: 'assistant', content: 'So' }];
    const conversation = responses.decodeRequest({ model: 'm', input: turns }, {});
    assert.deepEqual(chat.encodeRequest(conversation, 'gpt-4.1').dropped, ['input[1]']);
  });
});

test('a part of Gemini’s users that no other has is refused', () => {
  const parts = [{ executableCode: { language: 'PYTHON', code: '1' } }];
  const conversation = gemini.decodeRequest({ contents: [{ role: 'user', parts }] }, { model: 'm' });
  assertRefused(() => chat.encodeRequest(conversation, 'gpt-4.1'), 'contents[0].parts[0]', 'executableCode');
});
