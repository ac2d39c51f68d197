import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../../src/conversation/json.ts';
import { MessageRules } from '../../../src/dialects/chat/message-rules.ts';
import type { MessageQuirks } from '../../../src/dialects/chat/quirks.ts';

function rewrite(quirks: MessageQuirks, messages: JsonValue, model = 'm') {
  const dropped: string[] = [];
  const rules = new MessageRules(quirks);
  const rewritten = rules.rewrite(messages, model, (name, fitted) =>
    dropped.push(fitted === undefined ? name : `${name}=${fitted}`),
  );
  // The cheap look never overlooks what a rule changes.
  if (rewritten !== messages) assert.ok(rules.mayApply(Buffer.from(JSON.stringify(messages)), model));
  return { messages: rewritten, dropped, same: rewritten === messages };
}

const HI = { role: 'user', content: 'Hi' };

test('developer becomes system where that is the only word', () => {
  const { messages } = rewrite({ instructions: 'system' }, [{ role: 'developer', content: 'Be brief.' }, HI]);
  assert.deepEqual(messages, [{ role: 'system', content: 'Be brief.' }, HI]);
});

test('ids of tool calls become nine letters and digits, calls and results alike, in every request the same', () => {
  const conversation = [
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_abcdefghijkl', type: 'function', function: { name: 'f', arguments: '{}' } },
        { id: 'AbC123xyz', type: 'function', function: { name: 'g', arguments: '{}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_abcdefghijkl', content: '1' },
    { role: 'tool', tool_call_id: 'AbC123xyz', content: '2' },
  ];
  const first = rewrite({ toolCallIds: 'nine_alphanumerics' }, conversation);
  const [assistant, one, two] = first.messages as [
    { tool_calls: { id: string }[] },
    { tool_call_id: string },
    { tool_call_id: string },
  ];
  assert.match(one.tool_call_id, /^[a-zA-Z0-9]{9}$/);
  assert.deepEqual(
    assistant.tool_calls.map(({ id }) => id),
    [one.tool_call_id, 'AbC123xyz'],
  );
  assert.equal(two.tool_call_id, 'AbC123xyz');
  assert.deepEqual(rewrite({ toolCallIds: 'nine_alphanumerics' }, conversation).messages, first.messages);
  assert.ok(rewrite({ toolCallIds: 'nine_alphanumerics' }, first.messages).same);
});

test('property: any id becomes a legal one, different ids different ones', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      fc.pre(one !== other);
      const { messages } = rewrite({ toolCallIds: 'nine_alphanumerics' }, [
        { role: 'tool', tool_call_id: one },
        { role: 'tool', tool_call_id: other },
      ]);
      const [first, second] = (messages as { tool_call_id: string }[]).map(({ tool_call_id: id }) => id);
      assert.match(first ?? '', /^[a-zA-Z0-9]{9}$/);
      assert.notEqual(first, second);
    }),
  );
});

const THOUGHT = { role: 'assistant', content: 'Yes.', reasoning_content: 'Hm.' };

test('reasoning goes back in the field that the server takes, at its place', () => {
  const { messages, dropped } = rewrite({ reasoning: 'reasoning' }, [HI, THOUGHT]);
  assert.deepEqual(
    JSON.stringify(messages),
    JSON.stringify([HI, { role: 'assistant', content: 'Yes.', reasoning: 'Hm.' }]),
  );
  assert.deepEqual(dropped, []);
  assert.ok(rewrite({ reasoning: 'reasoning_content' }, [HI, THOUGHT]).same);
});

test('the same reasoning under a second name goes without a word, signed details by name', () => {
  const both = { ...THOUGHT, reasoning: 'Hm.' };
  assert.deepEqual(rewrite({ reasoning: 'reasoning_content' }, [both]), {
    messages: [THOUGHT],
    dropped: [],
    same: false,
  });
  const signed = { ...THOUGHT, reasoning_details: [{ type: 'reasoning.text', signature: 's' }] };
  assert.deepEqual(rewrite({ reasoning: 'reasoning_content' }, [signed]), {
    messages: [THOUGHT],
    dropped: ['messages[].reasoning_details'],
    same: false,
  });
});

test('where reasoning is refused it is left out and named, unless it says nothing', () => {
  const expected = [{ role: 'assistant', content: 'Yes.' }];
  assert.deepEqual(rewrite({ reasoning: 'none' }, [THOUGHT]), {
    messages: expected,
    dropped: ['messages[].reasoning_content'],
    same: false,
  });
  assert.deepEqual(rewrite({ reasoning: 'none' }, [{ ...THOUGHT, reasoning_content: null }]), {
    messages: expected,
    dropped: [],
    same: false,
  });
});

test('which field it is may depend on the model', () => {
  const quirks: MessageQuirks = {
    reasoning: (model) => (model === 'thinker' ? 'reasoning_content' : 'none'),
  };
  assert.ok(rewrite(quirks, [THOUGHT], 'thinker').same);
  assert.deepEqual(rewrite(quirks, [THOUGHT], 'other').dropped, ['messages[].reasoning_content']);
});

test('fields that are refused are left out; those that say something are named', () => {
  const quirks: MessageQuirks = { messageDrops: ['name', 'refusal', 'annotations'] };
  const replayed = { role: 'assistant', content: 'Yes.', refusal: null, annotations: [] };
  assert.deepEqual(rewrite(quirks, [{ ...HI, name: 'ann' }, replayed]), {
    messages: [HI, { role: 'assistant', content: 'Yes.' }],
    dropped: ['messages[].name'],
    same: false,
  });
});

test('a last message of the assistant is continued, in the server’s word; tool calls are not', () => {
  const begun = { role: 'assistant', content: 'Once' };
  assert.deepEqual(rewrite({ continuation: 'prefix' }, [HI, begun]).messages, [
    HI,
    { ...begun, prefix: true },
  ]);
  for (const messages of [
    [HI],
    [begun, HI],
    [HI, { ...begun, prefix: true }],
    [HI, { ...begun, tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }] }],
    [{ content: 'role', role: 'user', x: 'assistant' }],
  ]) {
    assert.ok(rewrite({ continuation: 'prefix' }, messages).same, JSON.stringify(messages));
  }
});

test('messages of one speaker in a row are joined where user and assistant must take turns', () => {
  const system = { role: 'system', content: 's' };
  const parts = { role: 'user', content: [{ type: 'image_url', image_url: { url: 'u' } }] };
  const answer = { role: 'assistant', content: 'Yes.' };
  assert.deepEqual(rewrite({ alternating: true }, [system, system, HI, HI, parts, answer, HI]).messages, [
    system,
    system,
    { role: 'user', content: [{ type: 'text', text: 'Hi\n\nHi' }, ...parts.content] },
    answer,
    HI,
  ]);
  assert.ok(rewrite({ alternating: true }, [system, HI, answer, HI]).same);
});

test('what is no list of messages is the provider’s matter', () => {
  for (const value of [null, 'text', {}, [null, 'x', { role: 'user' }]]) {
    assert.ok(rewrite({ instructions: 'system', alternating: true, continuation: 'prefix' }, value).same);
  }
});

const CALLED = {
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'AbC123xyz', type: 'function', function: { name: 'f', arguments: '{}' } }],
};
const RESULT = { role: 'tool', tool_call_id: 'AbC123xyz', content: '1' };
const BRIEF = { role: 'system', content: 'Be brief.' };

test('where the assistant alone speaks behind results, it has a word before the user, once a run of results', () => {
  const quirks: MessageQuirks = { strictTurns: 'mistrals' };
  const asked = [BRIEF, HI, CALLED, RESULT, RESULT, HI, HI, CALLED, RESULT];
  const { messages, dropped } = rewrite(quirks, asked, 'devstral-2');
  const between = { role: 'assistant', content: 'OK.' };
  assert.deepEqual(messages, [BRIEF, HI, CALLED, RESULT, RESULT, between, HI, HI, CALLED, RESULT]);
  assert.deepEqual(dropped, []);
  assert.ok(rewrite(quirks, messages, 'devstral-2').same);
  assert.ok(rewrite(quirks, asked, 'qwen3').same);
});

test('there instructions behind a turn of the assistant are said by the user, in their place, and named', () => {
  const quirks: MessageQuirks = { strictTurns: 'every_model' };
  const told = { ...BRIEF, role: 'user' };
  const between = { role: 'assistant', content: 'OK.' };
  const answer = { role: 'assistant', content: 'Yes.' };
  for (const [asked, written] of [
    [
      [HI, CALLED, RESULT, BRIEF],
      [HI, CALLED, RESULT, between, told],
    ],
    [
      [HI, answer, { ...BRIEF, role: 'developer' }, HI],
      [HI, answer, told, HI],
    ],
  ] as const) {
    const { messages, dropped } = rewrite(quirks, asked as unknown as JsonValue);
    assert.deepEqual([messages, dropped], [written, ['messages[].role=user']]);
  }
  assert.ok(rewrite(quirks, [BRIEF, HI, BRIEF, answer, HI, BRIEF]).same);
});

test('images that are in the request are not parsed, nor the texts beside them', () => {
  const rules = new MessageRules({ images: 'inline', texts: 'joined' });
  const text = { type: 'text', text: 'What is "content": ["a"] or "image_url": "b"?' };
  const image = (url: JsonValue) => ({ type: 'image_url', image_url: url });
  const png = 'data:image/png;base64,AAAA';
  const may = (...content: JsonValue[]) =>
    rules.mayApply(Buffer.from(JSON.stringify([HI, { role: 'user', content }], null, 1)), 'm');
  assert.equal(may(text, image({ url: png, detail: 'low' })), false);
  assert.equal(may(image({ detail: 'low', url: png }), text, image(png)), false);
  assert.equal(may(image({ url: 7 })), false);
  for (const url of ['https://example.com/a.png', 'data:image/gif;base64,AAAA', '']) {
    for (const form of [image(url), image({ detail: 'low', url })])
      assert.equal(may(text, image(png), form), true);
  }
  assert.equal(may(text), true);
  assert.equal(may(text, text), true);
});
