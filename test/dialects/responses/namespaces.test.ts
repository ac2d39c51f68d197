import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

const PARAMETERS = { type: 'object', properties: { id: { type: 'string' } } };
const inner = (name: string) => ({
  type: 'function',
  name,
  description: `Does ${name}.`,
  parameters: PARAMETERS,
});
const CRM = {
  type: 'namespace',
  name: 'crm',
  description: 'All about customers.',
  tools: [inner('lookup'), { type: 'custom', name: 'note', description: 'Takes a note.' }],
};
const LOOKUP = { type: 'function', name: 'lookup', parameters: PARAMETERS, strict: false };
const HISTORY = [
  { role: 'user', content: 'Who is 7?' },
  { type: 'function_call', call_id: 'a', name: 'lookup', namespace: 'crm', arguments: '{"id":"7"}' },
  { type: 'function_call_output', call_id: 'a', output: 'Ada' },
];
const REQUEST: JsonObject = { model: 'm', tools: [LOOKUP, CRM], input: HISTORY };

const namesOf = (tools: unknown) =>
  (Array.isArray(tools) ? tools.filter(isObject) : []).map((tool) => {
    const { function: fn, custom } = tool;
    return isObject(fn) ? fn['name'] : isObject(custom) ? custom['name'] : tool['name'];
  });

function answerWith(name: string, kind: 'function' | 'custom' = 'function'): Completion {
  const call = { type: 'tool_call' as const, id: 'b', kind, name, arguments: '{}' };
  return { id: 'c', model: 'm', choices: [{ index: 0, parts: [call], finish: 'tool_calls' }] };
}

test('tools of a namespace are offered one by one to providers of other dialects, and nothing is dropped', () => {
  const conversation = responses.decodeRequest(REQUEST, {});
  for (const [dialect, names] of [
    [chat, ['lookup', 'crm__lookup', 'crm__note']],
    [messages, ['lookup', 'crm__lookup', 'fairlead_custom_crm__note']],
  ] as const) {
    const { body, dropped } = dialect.encodeRequest(conversation, 'claude-sonnet-4-5');
    assert.deepEqual(namesOf(body['tools']), names);
    assert.deepEqual(dropped, []);
    const text = JSON.stringify(body);
    assert.match(text, /All about customers\./);
    assert.ok(
      text.includes('"name":"crm__lookup","arguments"') || text.includes('"name":"crm__lookup","input"'),
    );
  }
});

test('the call of such a tool comes back in its namespace, whole and streamed', () => {
  for (const [plain, kind, expected] of [
    ['crm__lookup', 'function', { name: 'lookup', namespace: 'crm' }],
    ['crm__note', 'custom', { name: 'note', namespace: 'crm' }],
    ['lookup', 'function', { name: 'lookup', namespace: undefined }],
    ['crm__other', 'function', { name: 'crm__other', namespace: undefined }],
  ] as const) {
    const completion = answerWith(plain, kind);
    const encoder = responses.streamEncoder({ includeUsage: false, request: REQUEST });
    for (const event of completionEvents(completion)) encoder.push(event);
    for (const answer of [responses.encodeResponse(completion, REQUEST), encoder.answer ?? {}]) {
      const [item] = Array.isArray(answer['output']) ? answer['output'] : [];
      assert.ok(isObject(item));
      assert.deepEqual({ name: item['name'], namespace: item['namespace'] }, expected);
    }
  }
});

test('a provider of the same dialect gets the namespace and the call as they came', () => {
  const { body, dropped } = responses.encodeRequest(responses.decodeRequest(REQUEST, {}), 'm');
  assert.deepEqual(body, REQUEST);
  assert.deepEqual(dropped, []);
});

test('a plain name is short, of letters that every provider takes, and no other tool’s', () => {
  const long = 'n'.repeat(60);
  const tools = [
    { type: 'function', name: 'a__b', parameters: PARAMETERS },
    { type: 'namespace', name: 'a', description: '', tools: [inner('b'), inner('b.c')] },
    { type: 'namespace', name: long, description: '', tools: [inner('x'), inner('y')] },
  ];
  const request = { model: 'm', input: 'Hi', tools };
  const { body } = chat.encodeRequest(responses.decodeRequest(request, {}), 'gpt-4.1');
  const names = namesOf(body['tools']).map(String);
  assert.equal(new Set(names).size, 5);
  for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,48}$/);
  const told = names.map((name) => {
    const { output } = responses.encodeResponse(answerWith(name), request);
    const [item] = Array.isArray(output) ? output : [];
    return isObject(item) ? [item['namespace'], item['name']] : [];
  });
  assert.deepEqual(told, [
    [undefined, 'a__b'],
    ['a', 'b'],
    ['a', 'b.c'],
    [long, 'x'],
    [long, 'y'],
  ]);
});

test('a namespace that holds what cannot be offered by itself is left out, named', () => {
  const tools = [{ ...CRM, tools: [...CRM.tools, { type: 'web_search' }] }];
  const conversation = responses.decodeRequest({ model: 'm', input: 'Hi', tools }, {});
  assert.deepEqual(chat.encodeRequest(conversation, 'gpt-4.1').dropped, ['tools[0]']);
});

test('however many tools want one plain name, each gets one of its own, at once', () => {
  // Were each name looked for from the start, this would not end within the time that a file of tests has.
  const count = 100_000;
  for (const prefix of ['', 'n'.repeat(60)]) {
    const separators = ['.', ',', ';', ':', '!', '?', '+', '*', '=', '~'];
    const names = Array.from({ length: count }, (_, index) => {
      const spelled = [...String(index)].map((digit) => separators[Number(digit)]).join('');
      return `${prefix}${spelled.padStart(5, '/')}`;
    });
    const tools = [
      { type: 'namespace', name: 'a', tools: names.map((name) => ({ type: 'function', name })) },
    ];
    const { tools: plain } = responses.decodeRequest({ model: 'm', input: 'Hi', tools }, {});
    const plainNames = namesOf(plain).map(String);
    assert.equal(new Set(plainNames).size, count);
    assert.ok(plainNames.every((name) => /^[A-Za-z0-9_-]{1,48}$/.test(name)));
  }
});

test('two tools of one name in one namespace are refused, also where the namespace stands twice', () => {
  const twice = { ...CRM, tools: [inner('lookup'), { type: 'custom', name: 'lookup' }] };
  const cases: [tools: JsonObject[], param: string][] = [
    [[twice], 'tools[0].tools[1].name'],
    [[CRM, { ...CRM, tools: [inner('other'), inner('lookup')] }], 'tools[1].tools[1].name'],
  ];
  for (const [tools, param] of cases) {
    const request: JsonObject = { model: 'm', input: 'Hi', tools };
    assert.throws(() => responses.decodeRequest(request, {}), { kind: 'invalid_request', param });
  }
  const { tools } = responses.decodeRequest(
    { model: 'm', input: 'Hi', tools: [CRM, { ...CRM, tools: [inner('other')] }] },
    {},
  );
  assert.deepEqual(namesOf(tools), ['crm__lookup', 'crm__note', 'crm__other']);
});

/** Two namespaces that share the name of a tool, and a tool in none. */
const TOOLS: JsonObject[] = [
  { type: 'namespace', name: 'ns', tools: [inner('x'), inner('y')] },
  { type: 'namespace', name: 'other', tools: [inner('y')] },
  LOOKUP,
];
const choose = (tool_choice: JsonObject) =>
  responses.decodeRequest({ model: 'm', input: 'Hi', tools: TOOLS, tool_choice }, {});
const allow = (mode: string, ...tools: JsonObject[]): JsonObject => ({ type: 'allowed_tools', mode, tools });

test('a choice names a tool of a namespace by its name, with the namespace or without', () => {
  for (const choice of [
    { type: 'function', name: 'x' },
    { type: 'function', name: 'x', namespace: 'ns' },
  ]) {
    const { body, dropped } = chat.encodeRequest(choose(choice), 'mistral-large');
    assert.deepEqual(body['tool_choice'], { type: 'function', function: { name: 'ns__x' } });
    assert.deepEqual(dropped, []);
  }
  const own = chat.encodeRequest(choose({ type: 'function', name: 'lookup' }), 'mistral-large');
  assert.deepEqual(own.body['tool_choice'], { type: 'function', function: { name: 'lookup' } });
});

test('a choice of a name that stands in several namespaces is refused, for nobody could tell which is meant', () => {
  const unclear = choose({ type: 'function', name: 'y' });
  assert.throws(() => chat.encodeRequest(unclear, 'mistral-large'), { param: 'tool_choice' });
  const { body } = chat.encodeRequest(
    choose({ type: 'function', name: 'y', namespace: 'other' }),
    'mistral-large',
  );
  assert.deepEqual(body['tool_choice'], { type: 'function', function: { name: 'other__y' } });
});

test('the allowed tools may be a namespace, tools of one by their names, and others', () => {
  for (const mode of ['auto', 'required']) {
    for (const [tools, names] of [
      [[{ type: 'namespace', name: 'ns' }], ['ns__x', 'ns__y']],
      [[{ type: 'function', name: 'x', namespace: 'ns' }], ['ns__x']],
      [[{ type: 'function', name: 'y' }], ['ns__y', 'other__y']],
      [
        [
          { type: 'function', name: 'x' },
          { type: 'function', name: 'lookup' },
        ],
        ['ns__x', 'lookup'],
      ],
    ] as const) {
      const { body, dropped } = messages.encodeRequest(choose(allow(mode, ...tools)), 'claude-sonnet-4-5');
      assert.deepEqual(namesOf(body['tools']), names);
      assert.deepEqual(body['tool_choice'], { type: mode === 'auto' ? 'auto' : 'any' });
      assert.deepEqual(dropped, []);
    }
  }
});

test('a choice among tools of namespaces goes back to a provider of the same dialect as it came', () => {
  for (const choice of [
    { type: 'function', name: 'x' },
    { type: 'function', name: 'x', namespace: 'ns' },
    allow('auto', { type: 'namespace', name: 'ns' }, { type: 'web_search' }),
    allow('required', { type: 'function', name: 'x', namespace: 'ns' }, { type: 'function', name: 'lookup' }),
  ]) {
    assert.deepEqual(responses.encodeRequest(choose(choice), 'gpt-5').body['tool_choice'], choice);
  }
});
