import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation, Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { assistant, call, encode, LOOK, result, SONNET_4_5, user } from './conversations.ts';

interface Row {
  name: string;
  given: Partial<Conversation>;
  model: string;
  thinking?: JsonObject;
  effort?: string;
  dropped?: string[];
}

const SHOWN = { type: 'adaptive', display: 'summarized' };
const NATIVE = { dialect: 'messages', parameters: { maxOutputTokens: 20_000 } } as const;

const ROWS: Row[] = [
  {
    name: 'an effort is a budget on models that think by budgets',
    given: { reasoning: { effort: 'medium' } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 12_288 },
  },
  {
    name: 'minimal effort is the least budget',
    given: { reasoning: { effort: 'minimal' } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 1_024 },
  },
  {
    name: 'a budget leaves room for the answer within max_tokens',
    given: { reasoning: { effort: 'high' }, parameters: { maxOutputTokens: 5_000 } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 4_000 },
  },
  {
    name: 'where max_tokens leaves no room to think, thinking is dropped',
    given: { reasoning: { effort: 'high' }, parameters: { maxOutputTokens: 1_000 } },
    model: SONNET_4_5,
    dropped: ['reasoning_effort'],
  },
  {
    name: 'a budget that was asked for is kept',
    given: { ...NATIVE, reasoning: { budgetTokens: 19_000 } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 19_000 },
  },
  {
    name: 'a budget beyond max_tokens is cut and named',
    given: { ...NATIVE, reasoning: { budgetTokens: 30_000 } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 19_999 },
    dropped: ['thinking.budget_tokens=19999'],
  },
  {
    name: 'an effort is adaptive thinking with that effort, shown, on newer models',
    given: { reasoning: { effort: 'xhigh' } },
    model: 'claude-opus-4-7',
    thinking: SHOWN,
    effort: 'xhigh',
  },
  {
    name: 'an effort that a model does not have is the next lower one, and named',
    given: { reasoning: { effort: 'xhigh' } },
    model: 'claude-sonnet-4-6',
    thinking: { type: 'adaptive' },
    effort: 'high',
    dropped: ['reasoning_effort=high'],
  },
  {
    name: 'minimal effort is low effort, and named',
    given: { reasoning: { effort: 'minimal' } },
    model: 'claude-opus-5',
    thinking: SHOWN,
    effort: 'low',
    dropped: ['reasoning_effort=low'],
  },
  {
    name: 'a budget on a model that refuses budgets is an effort, and named',
    given: { ...NATIVE, reasoning: { budgetTokens: 4_000 } },
    model: 'claude-opus-4-8',
    thinking: { type: 'adaptive' },
    effort: 'low',
    dropped: ['thinking.budget_tokens'],
  },
  {
    name: 'adaptive thinking on a model that has only budgets is a budget',
    given: { ...NATIVE, reasoning: { budgetTokens: -1 } },
    model: SONNET_4_5,
    thinking: { type: 'enabled', budget_tokens: 12_288 },
  },
  {
    name: 'an effort without thinking, as only this dialect says it, stays one',
    given: { ...NATIVE, reasoning: { effort: 'low' } },
    model: 'claude-opus-4-6',
    effort: 'low',
  },
  {
    name: 'hidden thinking is asked for as such',
    given: { reasoning: { effort: 'low', includeText: false } },
    model: 'claude-opus-4-7',
    thinking: { type: 'adaptive', display: 'omitted' },
    effort: 'low',
  },
  { name: 'effort none is no thinking', given: { reasoning: { effort: 'none' } }, model: SONNET_4_5 },
  {
    name: 'effort none turns off what is on by default',
    given: { reasoning: { effort: 'none' } },
    model: 'claude-opus-5',
    thinking: { type: 'disabled' },
  },
  {
    name: 'effort none has its own word on Sonnet 5.5',
    given: { reasoning: { effort: 'none' } },
    model: 'claude-sonnet-5-5',
    thinking: { type: 'between_tools' },
  },
  {
    name: 'a model that always thinks does it with the least effort, and the wish is named',
    given: { reasoning: { effort: 'none' } },
    model: 'claude-opus-5-5',
    effort: 'low',
    dropped: ['reasoning_effort=low'],
  },
  {
    name: 'a model that cannot think gets no thinking, and the wish is named',
    given: { reasoning: { effort: 'high' } },
    model: 'claude-3-haiku-20240307',
    dropped: ['reasoning_effort'],
  },
  {
    name: 'a forced tool call rules a thinking budget out',
    given: { reasoning: { effort: 'low' }, tools: [LOOK], toolChoice: { type: 'required' } },
    model: SONNET_4_5,
    dropped: ['reasoning_effort'],
  },
  {
    name: 'a forced tool call goes together with adaptive thinking',
    given: { reasoning: { effort: 'low' }, tools: [LOOK], toolChoice: { type: 'required' } },
    model: 'claude-opus-4-6',
    thinking: { type: 'adaptive' },
    effort: 'low',
  },
];
for (const { name, given, model, thinking, effort, dropped } of ROWS) {
  test(name, () => {
    const encoded = encode(given, model);
    assert.deepEqual(encoded.body['thinking'], thinking);
    assert.deepEqual(encoded.body['output_config'], effort === undefined ? undefined : { effort });
    assert.deepEqual(encoded.dropped, dropped ?? []);
  });
}

const THOUGHT: Part = { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'S' } };
const LOOPS: [name: string, messages: Conversation['messages'], isLost: boolean][] = [
  ['lost its thinking', [user('a'), assistant(call('x')), result('x')], true],
  [
    'lost its thinking and has words of the user',
    [user('a'), assistant(call('x')), result('x'), user('b')],
    true,
  ],
  ['kept its thinking', [user('a'), assistant(THOUGHT, call('x')), result('x')], false],
  [
    'thought once for two calls',
    [user('a'), assistant(THOUGHT, call('x')), result('x'), assistant(call('y')), result('y')],
    false,
  ],
  [
    'lost the thinking of an earlier turn only',
    [user('a'), assistant(call('x')), result('x'), assistant('b'), user('c')],
    false,
  ],
];
for (const [name, messages, isLost] of LOOPS) {
  test(`with a budget, a tool loop that ${name} ${isLost ? 'goes on without thinking' : 'goes on thinking'}`, () => {
    const { body, dropped } = encode({ messages, tools: [LOOK], reasoning: { effort: 'low' } });
    assert.equal(body['thinking'] === undefined, isLost);
    assert.deepEqual(dropped, isLost ? ['reasoning_effort'] : []);
  });
}

test('adaptive thinking does not mind that a tool loop lost its thinking', () => {
  const messages = [user('a'), assistant(call('x')), result('x')];
  const { body, dropped } = encode(
    { messages, tools: [LOOK], reasoning: { effort: 'low' } },
    'claude-opus-4-7',
  );
  assert.deepEqual(body['thinking'], SHOWN);
  assert.deepEqual(dropped, []);
});

test('an effort that no dialect knows is refused, as at every other provider', () => {
  assert.throws(
    () => encode({ reasoning: { effort: 'heroic' } }),
    (error) => error instanceof GatewayError && error.status === 400 && error.param === 'reasoning_effort',
  );
});
