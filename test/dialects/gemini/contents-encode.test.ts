import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message, Part } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { makeToolCallId } from '../../../src/dialects/gemini/tool-call-ids.ts';
import {
  assistant,
  at,
  bodyFor,
  call,
  chatConversation,
  contentsFor,
  droppedFor,
  refusalOf,
  result,
  system,
  user,
} from './conversations.ts';

const MODEL_2_5 = 'gemini-2.5-flash';

describe('system and developer messages', () => {
  test('become the system instruction, in their order, wherever they stand', () => {
    const body = bodyFor(
      chatConversation([
        system('Be kind.'),
        user('Hi'),
        { role: 'developer', parts: [{ type: 'text', text: 'Be brief.' }] },
        user('there'),
      ]),
    );
    assert.deepEqual(body, {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }, { text: 'there' }] }],
      systemInstruction: { parts: [{ text: 'Be kind.' }, { text: 'Be brief.' }] },
    });
  });

  test('are begun upon where nothing else is said, because contents must not be empty', () => {
    assert.deepEqual(bodyFor(chatConversation([system('Say hello.')])), {
      contents: [{ role: 'user', parts: [{ text: 'Begin.' }] }],
      systemInstruction: { parts: [{ text: 'Say hello.' }] },
    });
  });

  test('are the user’s first words on models that take no system instruction', () => {
    assert.deepEqual(bodyFor(chatConversation([system('Be kind.'), user('Hi')]), 'gemma-3-27b-it'), {
      contents: [{ role: 'user', parts: [{ text: 'Be kind.' }, { text: 'Hi' }] }],
    });
  });

  test('can only be text', () => {
    const image: Part = { type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } };
    assert.throws(
      () => contentsFor([{ role: 'system', parts: [image] }]),
      refusalOf('messages[0].content[0]'),
    );
  });
});

describe('turns', () => {
  test('of one side are merged', () => {
    assert.deepEqual(contentsFor([user('a'), user('b'), assistant('c'), assistant('d'), user('e')]), [
      { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
      { role: 'model', parts: [{ text: 'c' }, { text: 'd' }] },
      { role: 'user', parts: [{ text: 'e' }] },
    ]);
  });

  test('begin with the user', () => {
    assert.deepEqual(contentsFor([assistant('Welcome!'), user('Hi')]), [
      { role: 'user', parts: [{ text: 'Begin.' }] },
      { role: 'model', parts: [{ text: 'Welcome!' }] },
      { role: 'user', parts: [{ text: 'Hi' }] },
    ]);
  });

  test('of foreign reasoning alone vanish, and their neighbours join', () => {
    const foreign: Part = { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'x' } };
    assert.deepEqual(contentsFor([user('a'), assistant(foreign), user('b')]), [
      { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
    ]);
  });

  test('hold no empty filler text beside tool calls', () => {
    assert.deepEqual(at(contentsFor([user('a'), assistant('', call('c1', 'f', '{}', 's'))]), 1), {
      role: 'model',
      parts: [{ functionCall: { id: 'c1', name: 'f', args: {} }, thoughtSignature: 's' }],
    });
  });

  test('of the user without words are left out, or filled where the API wants some', () => {
    assert.deepEqual(contentsFor([user(''), assistant('b'), user('c')]), [
      { role: 'user', parts: [{ text: 'Begin.' }] },
      { role: 'model', parts: [{ text: 'b' }] },
      { role: 'user', parts: [{ text: 'c' }] },
    ]);
    assert.deepEqual(contentsFor([user('a'), assistant('b'), user(''), assistant('c'), user('d')]), [
      { role: 'user', parts: [{ text: 'a' }] },
      { role: 'model', parts: [{ text: 'b' }, { text: 'c' }] },
      { role: 'user', parts: [{ text: 'd' }] },
    ]);
  });

  test('of nobody but the user, and without words, are no request', () => {
    for (const messages of [[user('')], [user(''), user('')], [assistant('')], []]) {
      assert.throws(() => contentsFor(messages), refusalOf('messages'));
    }
    const instructed = chatConversation([system('Be kind.'), user('')]);
    assert.throws(() => bodyFor(instructed), refusalOf('messages[1]'));
  });

  test('at the end must be words of the user, which nothing of ours stands in for', () => {
    assert.throws(() => contentsFor([user('a'), assistant('b'), user('')]), refusalOf('messages[2]'));
  });

  test('of the user may not hold blocks of another provider', () => {
    const block: Part = { type: 'opaque', dialect: 'messages', value: { type: 'container_upload' } };
    assert.throws(() => contentsFor([user(block)]), refusalOf('messages[0].content[0]'));
  });

  test('lose participants’ names and cache hints, and say so', () => {
    const hinted: Part = { type: 'text', text: 'Hi', cacheHint: {} };
    const conversation = chatConversation([{ role: 'user', parts: [hinted], name: 'Ada' }]);
    assert.deepEqual(droppedFor(conversation), ['messages[0].name', 'cache_control']);
    const named = { ...result('c1', 'sun'), name: 'weather' };
    const history = [user('a'), assistant(call('c1', 'weather', '{}')), named];
    assert.deepEqual(droppedFor(chatConversation(history)), [], 'the name of a tool is in its call');
  });

  test('keep refusals as text', () => {
    assert.deepEqual(at(contentsFor([user('a'), assistant({ type: 'refusal', text: 'No.' })]), 1, 'parts'), [
      { text: 'No.' },
    ]);
  });
});

describe('tool results', () => {
  const calls = assistant(call('c1', 'weather', '{"city":"Bonn"}', 's1'), call('c2', 'time', '{}'));

  test('stand in one user content right after the model’s, with their functions’ names, in the calls’ order', () => {
    assert.deepEqual(contentsFor([user('a'), calls, result('c2', 'noon'), result('c1', 'sun'), user('b')]), [
      { role: 'user', parts: [{ text: 'a' }] },
      {
        role: 'model',
        parts: [
          { functionCall: { id: 'c1', name: 'weather', args: { city: 'Bonn' } }, thoughtSignature: 's1' },
          { functionCall: { id: 'c2', name: 'time', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'c1', name: 'weather', response: { output: 'sun' } } },
          { functionResponse: { id: 'c2', name: 'time', response: { output: 'noon' } } },
          { text: 'b' },
        ],
      },
    ]);
  });

  test('without a call before them are refused by their path', () => {
    assert.throws(() => contentsFor([user('a'), result('c9', 'x')]), refusalOf('messages[1].tool_call_id'));
  });

  test('carry no ids to models that give none', () => {
    const contents = contentsFor([user('a'), calls, result('c1', 'x'), result('c2', 'y')], MODEL_2_5);
    assert.equal(at(contents, 1, 'parts', 0, 'functionCall', 'id'), undefined);
    assert.equal(at(contents, 2, 'parts', 0, 'functionResponse', 'id'), undefined);
  });

  test('carry no ids that we made ourselves', () => {
    const id = makeToolCallId('response', 0);
    const contents = contentsFor([user('a'), assistant(call(id, 'f', '{}', 's')), result(id, 'x')]);
    assert.deepEqual(at(contents, 1, 'parts', 0, 'functionCall'), { name: 'f', args: {} });
    assert.deepEqual(at(contents, 2, 'parts', 0, 'functionResponse'), {
      name: 'f',
      response: { output: 'x' },
    });
  });
});

describe('arguments of earlier tool calls', () => {
  const cases: [string, string, unknown][] = [
    ['an object', '{"a":[1]}', { a: [1] }],
    ['nothing', '', {}],
    ['JSON that is no object', '[1]', { arguments: '[1]' }],
    ['JSON that breaks off', '{"a":', { arguments: '{"a":' }],
  ];
  for (const [name, text, args] of cases) {
    test(`${name}: args are an object all the same`, () => {
      const contents = contentsFor([user('a'), assistant(call('c', 'f', text, 's'))]);
      assert.deepEqual(at(contents, 1, 'parts', 0, 'functionCall', 'args'), args);
    });
  }

  test('stay text where they are nested so deeply that writing them would fail', () => {
    const text = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const contents = contentsFor([user('a'), assistant(call('c', 'f', text, 's')), result('c', text)]);
    assert.deepEqual(at(contents, 1, 'parts', 0, 'functionCall', 'args'), { arguments: text });
    assert.deepEqual(at(contents, 2, 'parts', 0, 'functionResponse', 'response'), { output: text });
  });

  test('may be named like a prototype', () => {
    const text = '{"__proto__":{"polluted":true}}';
    const contents = contentsFor([user('a'), assistant(call('c', 'f', text, 's'))]);
    assert.equal(JSON.stringify(at(contents, 1, 'parts', 0, 'functionCall', 'args')), text);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  test('in free text (custom tools) are one argument', () => {
    const custom: Part = { type: 'tool_call', id: 'c', name: 'f', kind: 'custom', arguments: 'hello' };
    assert.deepEqual(at(contentsFor([user('a'), assistant(custom)]), 1, 'parts', 0, 'functionCall', 'args'), {
      input: 'hello',
    });
  });
});

describe('thought signatures', () => {
  const SKIP = 'skip_thought_signature_validator';
  const signatures = (contents: unknown, turn: number) =>
    (at(contents as never, turn, 'parts') as { thoughtSignature?: string }[]).map(
      (part) => part.thoughtSignature,
    );

  test('go back on exactly the part that they came with', () => {
    const signature = { dialect: 'gemini', value: 's' } as const;
    const message = assistant(
      { type: 'reasoning', text: 'hm', signature },
      { type: 'text', text: 'Hi', signature: { ...signature, value: 't' } },
      { type: 'text', text: '', signature: { ...signature, value: 'u' } },
    );
    assert.deepEqual(at(contentsFor([user('a'), message]), 1, 'parts'), [
      { text: 'hm', thought: true, thoughtSignature: 's' },
      { text: 'Hi', thoughtSignature: 't' },
      { text: '', thoughtSignature: 'u' },
    ]);
  });

  test('of other providers do not go to Gemini', () => {
    const foreign: Part = { ...call('c', 'f', '{}'), signature: { dialect: 'messages', value: 'x' } } as Part;
    assert.deepEqual(signatures(contentsFor([user('a'), assistant(foreign)], MODEL_2_5), 1), [undefined]);
  });

  test('that are missing are stood in for on the first call of each step of the current turn', () => {
    const contents = contentsFor([
      user('earlier'),
      assistant(call('c0', 'f', '{}')),
      result('c0', 'x'),
      assistant('done'),
      user('now'),
      assistant('Let me see.', call('c1', 'f', '{}'), call('c2', 'f', '{}')),
      result('c1', 'x'),
      result('c2', 'x'),
      assistant(call('c3', 'f', '{}', 'own'), call('c4', 'f', '{}')),
      result('c3', 'x'),
      result('c4', 'x'),
      assistant(call('c5', 'f', '{}')),
      result('c5', 'x'),
    ]);
    assert.deepEqual(signatures(contents, 1), [undefined]);
    assert.deepEqual(signatures(contents, 5), [undefined, SKIP, undefined]);
    assert.deepEqual(signatures(contents, 7), ['own', undefined]);
    assert.deepEqual(signatures(contents, 9), [SKIP]);
  });

  test('are not stood in for on models that do not check them', () => {
    assert.deepEqual(signatures(contentsFor([user('a'), assistant(call('c', 'f', '{}'))], MODEL_2_5), 1), [
      undefined,
    ]);
  });
});

test('results stand in the order of their calls, also where a later turn’s calls have the ids of an earlier one', () => {
  const turn = (...cities: string[]): Message[] => [
    assistant(...cities.map((city, index) => call(`call_${index}`, 'weather', JSON.stringify({ city })))),
    // The second is answered first.
    result('call_1', `of ${cities[1]}`),
    result('call_0', `of ${cities[0]}`),
  ];
  const messages = [user('Hi'), ...turn('Rome', 'Oslo'), user('and'), ...turn('Paris', 'Bern')];
  const results = (contentsFor(messages, MODEL_2_5) as JsonObject[])
    .flatMap(({ parts }) => parts as JsonObject[])
    .flatMap((part) => at(part, 'functionResponse', 'response', 'output') ?? []);
  assert.deepEqual(results, ['of Rome', 'of Oslo', 'of Paris', 'of Bern']);
});

test('a conversation that ends with the model’s words is closed by the user where the model does not go on from them', () => {
  const begun = [user('Hi'), assistant('The answer is')];
  const rolesAt = (model: string, messages: Message[] = begun) =>
    (contentsFor(messages, model) as JsonObject[]).map(({ role }) => role);
  for (const model of ['gemini-3.6-flash', 'gemini-3.5-flash-lite', 'gemini-9-unheard-of'])
    assert.deepEqual(rolesAt(model), ['user', 'model', 'user'], model);
  for (const model of ['gemini-2.5-flash', 'gemini-3.5-flash', 'gemini-3.1-pro-preview'])
    assert.deepEqual(rolesAt(model), ['user', 'model'], model);
  // Of a call without its result the API says what is missing.
  assert.deepEqual(rolesAt('gemini-3.6-flash', [user('Hi'), assistant(call('c', 'f', '{}'))]), [
    'user',
    'model',
  ]);
});
