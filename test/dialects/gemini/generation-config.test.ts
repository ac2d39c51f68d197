import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conversation, ReasoningRequest } from '../../../src/conversation/conversation.ts';
import { at, bodyFor, chatConversation, droppedFor, functionTool, refusalOf, user } from './conversations.ts';

function asking(more: Partial<Conversation>): Conversation {
  return chatConversation([user('Hi')], more);
}

test('sampling parameters go into generationConfig', () => {
  const parameters = {
    maxOutputTokens: 10,
    temperature: 0,
    topP: 0.5,
    topK: 3,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    seed: 7,
    stop: ['x'],
    n: 2,
    logprobs: true,
    topLogprobs: 4,
  };
  assert.deepEqual(bodyFor(asking({ parameters }), 'gemini-2.0-flash')['generationConfig'], {
    maxOutputTokens: 10,
    temperature: 0,
    topP: 0.5,
    topK: 3,
    frequencyPenalty: 0.1,
    presencePenalty: 0.2,
    seed: 7,
    stopSequences: ['x'],
    candidateCount: 2,
    responseLogprobs: true,
    logprobs: 4,
  });
});

test('parameters that the API or the model does not have are dropped and named', () => {
  const parameters = { logitBias: { 1: 2 }, endUser: 'u', frequencyPenalty: 1, logprobs: true };
  const lacking = (model: string) => droppedFor(asking({ parameters }), model);
  assert.deepEqual(lacking('gemini-2.0-flash'), ['logit_bias', 'user']);
  for (const model of ['gemini-2.5-flash', 'gemini-3-pro-preview', 'gemini-9-unheard-of'])
    assert.deepEqual(lacking(model), ['logit_bias', 'user', 'frequency_penalty', 'logprobs'], model);
  assert.deepEqual(lacking('publishers/google/models/gemini-2.5-flash'), [
    ...['logit_bias', 'user', 'frequency_penalty'],
  ]);
  assert.equal(lacking('publishers/google/models/gemini-3-pro-preview').at(-1), 'logprobs');
});

test('what a model does not heed is named', () => {
  const parameters = { temperature: 0, topP: 0.5, topK: 3 };
  for (const model of ['gemini-3.6-flash', 'gemini-3.5-flash-lite', 'gemini-9-unheard-of']) {
    assert.deepEqual(droppedFor(asking({ parameters }), model), ['temperature', 'top_p', 'top_k'], model);
    assert.equal(bodyFor(asking({ parameters }), model)['generationConfig'], undefined);
  }
  for (const model of ['gemini-3.5-flash', 'gemini-3.1-pro-preview', 'gemini-2.5-flash'])
    assert.deepEqual(droppedFor(asking({ parameters }), model), [], model);
});

test('what asks for nothing is not missed', () => {
  const parameters = { frequencyPenalty: 0, presencePenalty: 0, logprobs: false };
  assert.deepEqual(droppedFor(asking({ parameters }), 'gemini-3-pro-preview'), []);
  assert.equal(bodyFor(asking({ parameters }), 'gemini-3-pro-preview')['generationConfig'], undefined);
});

test('more answers at once than the model gives are refused', () => {
  for (const [model, n] of [
    ['gemini-3-flash-preview', 2],
    ['gemini-2.5-flash', 9],
    ['publishers/google/models/gemini-3.1-pro-preview', 9],
  ] as const) {
    assert.throws(() => bodyFor(asking({ parameters: { n } }), model), refusalOf('n'), model);
  }
  const onVertex = 'publishers/google/models/gemini-3.1-pro-preview';
  assert.equal(
    at(bodyFor(asking({ parameters: { n: 8 } }), onVertex), 'generationConfig', 'candidateCount'),
    8,
  );
});

test('more output than the model writes is as much as it writes, and named', () => {
  const asked = asking({ parameters: { maxOutputTokens: 16_384 } });
  assert.deepEqual(droppedFor(asked, 'gemini-2.0-flash'), ['max_completion_tokens=8192']);
  assert.deepEqual(droppedFor(asked, 'gemini-2.5-flash'), []);
  const most = asking({ parameters: { maxOutputTokens: 65_536 } });
  assert.deepEqual(droppedFor(most, 'gemini-2.5-flash'), []);
  assert.deepEqual(droppedFor(most, 'publishers/google/models/gemini-2.5-flash'), [
    'max_completion_tokens=65535',
  ]);
});

test('every field that only another dialect knows is named', () => {
  const conversation = asking({ extra: { dialect: 'chat', fields: { store: true, metadata: {} } } });
  assert.deepEqual(droppedFor(conversation), ['store', 'metadata']);
  assert.equal(bodyFor(conversation)['store'], undefined);
});

describe('response format', () => {
  const schema = { type: 'object', properties: { kind: { const: 'a' }, const: { type: 'string' } } };
  const format = { type: 'json_schema', name: 'n', schema } as const;

  test('text and JSON objects are media types', () => {
    const config = (type: 'text' | 'json_object') =>
      bodyFor(asking({ responseFormat: { type } }))['generationConfig'];
    assert.deepEqual(config('text'), { responseMimeType: 'text/plain' });
    assert.deepEqual(config('json_object'), { responseMimeType: 'application/json' });
  });

  test('a schema goes out as JSON Schema, with const as an enum of one', () => {
    assert.deepEqual(bodyFor(asking({ responseFormat: format }))['generationConfig'], {
      responseMimeType: 'application/json',
      responseJsonSchema: {
        type: 'object',
        properties: { kind: { enum: ['a'] }, const: { type: 'string' } },
      },
    });
  });

  test('a format’s description goes into its schema', () => {
    const body = bodyFor(asking({ responseFormat: { ...format, description: 'd' } }));
    assert.equal(at(body, 'generationConfig', 'responseJsonSchema', 'description'), 'd');
  });

  describe('beside functions, which models before Gemini 3 take apart only', () => {
    const tools = [functionTool('f')];
    const beside = (more: Partial<Conversation>) => asking({ tools, ...more });
    const answer = {
      name: 'fairlead_json_output',
      description: 'Gives the answer. d',
      // As in an answer of its own: the API passes over `const`.
      parametersJsonSchema: { ...schema, properties: { ...schema.properties, kind: { enum: ['a'] } } },
    };
    const described = { ...format, description: 'd' };

    test('a schema is a function that the model must call, or one of the caller’s', () => {
      const body = bodyFor(beside({ responseFormat: described }), 'gemini-2.5-pro');
      assert.equal(body['generationConfig'], undefined);
      const declared = at(body, 'tools', 0, 'functionDeclarations');
      assert.deepEqual(declared, [{ name: 'f' }, answer]);
      assert.deepEqual(at(body, 'toolConfig', 'functionCallingConfig'), { mode: 'ANY' });
    });

    test('where only some functions may be called, the answer is one of them', () => {
      const toolChoice = { type: 'allowed', mode: 'auto', names: ['f'] } satisfies Conversation['toolChoice'];
      const body = bodyFor(beside({ responseFormat: described, toolChoice }), 'gemini-2.5-pro');
      assert.deepEqual(at(body, 'toolConfig', 'functionCallingConfig'), {
        mode: 'ANY',
        allowedFunctionNames: ['f', 'fairlead_json_output'],
      });
    });

    test('a call that must be made comes before any answer', () => {
      const body = bodyFor(
        beside({ responseFormat: format, toolChoice: { type: 'required' } }),
        'gemini-2.5-pro',
      );
      assert.equal(body['generationConfig'], undefined);
      assert.deepEqual(at(body, 'tools', 0, 'functionDeclarations'), [{ name: 'f' }]);
    });

    test('a JSON object is told, and so is a schema that arguments cannot have, which is named', () => {
      const text = at(
        bodyFor(beside({ responseFormat: { type: 'json_object' } }), 'gemini-2.5-pro'),
        'systemInstruction',
        'parts',
        0,
        'text',
      );
      assert.match(String(text), /^Answer with one JSON object/);
      const list = beside({ responseFormat: { ...format, schema: { type: 'array' } } });
      const told = at(bodyFor(list, 'gemini-2.5-pro'), 'systemInstruction', 'parts', 0, 'text');
      assert.match(String(told), /valid against this JSON Schema: \{"type":"array"\}/);
      assert.deepEqual(droppedFor(list, 'gemini-2.5-pro'), ['response_format']);
    });

    test('a schema that refers to another part of it, or says its type in a list, is an object’s, too', () => {
      for (const one of [
        { $ref: '#/$defs/a', $defs: { a: { type: 'object' } } },
        { type: ['object', 'null'] },
      ]) {
        const body = bodyFor(beside({ responseFormat: { ...format, schema: one } }), 'gemini-2.5-pro');
        assert.deepEqual(at(body, 'tools', 0, 'functionDeclarations', 1, 'parametersJsonSchema'), one);
      }
    });

    test('functions that may not be called do not matter, nor do any to newer models', () => {
      for (const [model, more] of [
        ['gemini-2.5-pro', { toolChoice: { type: 'none' } }],
        ['gemini-3-pro-preview', {}],
      ] as const) {
        const body = bodyFor(beside({ responseFormat: format, ...more }), model);
        assert.equal(at(body, 'generationConfig', 'responseMimeType'), 'application/json', model);
      }
    });
  });

  test('a model without any JSON mode is told the form, which is named where it is a schema', () => {
    const told = (responseFormat: Conversation['responseFormat']) => {
      const body = bodyFor(asking({ responseFormat }), 'gemma-3-27b-it');
      assert.equal(body['generationConfig'], undefined);
      return String(at(body, 'contents', 0, 'parts', 0, 'text'));
    };
    assert.match(told({ type: 'json_object' }), /^Answer with one JSON object/);
    assert.match(told(format), /valid against this JSON Schema/);
    assert.deepEqual(droppedFor(asking({ responseFormat: format }), 'gemma-3-27b-it'), ['response_format']);
  });

  test('old models get it as an OpenAPI schema', () => {
    const body = bodyFor(asking({ responseFormat: format }), 'gemini-1.5-flash');
    assert.deepEqual(body['generationConfig'], {
      responseMimeType: 'application/json',
      responseSchema: {
        type: 'OBJECT',
        properties: { kind: { type: 'STRING', format: 'enum', enum: ['a'] }, const: { type: 'STRING' } },
      },
    });
  });
});

describe('reasoning', () => {
  const cases: [string, ReasoningRequest, unknown, string[]][] = [
    [
      'gemini-3-flash-preview',
      { effort: 'minimal' },
      { thinkingLevel: 'MINIMAL', includeThoughts: true },
      [],
    ],
    [
      'gemini-3-flash-preview',
      { effort: 'none' },
      { thinkingLevel: 'MINIMAL' },
      ['reasoning_effort=minimal'],
    ],
    [
      'gemini-3.1-pro-preview',
      { effort: 'minimal' },
      { thinkingLevel: 'LOW', includeThoughts: true },
      ['reasoning_effort=low'],
    ],
    [
      'gemini-3-pro-preview',
      { effort: 'medium' },
      { thinkingLevel: 'HIGH', includeThoughts: true },
      ['reasoning_effort=high'],
    ],
    ['gemini-3.7-flash', { effort: 'none' }, { thinkingLevel: 'LOW' }, ['reasoning_effort=low']],
    ['gemini-3.5-flash-lite', { effort: 'minimal' }, { thinkingLevel: 'MINIMAL', includeThoughts: true }, []],
    [
      'gemini-9-unheard-of',
      { effort: 'xhigh' },
      { thinkingLevel: 'HIGH', includeThoughts: true },
      ['reasoning_effort=high'],
    ],
    [
      'models/gemini-3-flash-preview',
      { budgetTokens: 99 },
      { thinkingBudget: 99, includeThoughts: true },
      [],
    ],
    ['gemini-2.5-flash', { effort: 'low' }, { thinkingBudget: 1024, includeThoughts: true }, []],
    ['gemini-2.5-flash', { effort: 'medium' }, { thinkingBudget: 8192, includeThoughts: true }, []],
    ['gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0 }, []],
    ['gemini-2.5-flash', { budgetTokens: -1 }, { thinkingBudget: -1, includeThoughts: true }, []],
    [
      'gemini-2.5-flash-lite',
      { budgetTokens: 1 },
      { thinkingBudget: 512, includeThoughts: true },
      ['thinking.budget_tokens=512'],
    ],
    ['gemini-2.5-pro', { effort: 'max' }, { thinkingBudget: 32_768, includeThoughts: true }, []],
    ['gemini-2.5-pro', { effort: 'none' }, { thinkingBudget: 128 }, ['reasoning_effort=minimal']],
    [
      'gemini-2.5-pro',
      { effort: 'high', includeText: false },
      { thinkingBudget: 24_576, includeThoughts: false },
      [],
    ],
    ['gemini-2.0-flash', { effort: 'high' }, undefined, ['reasoning_effort']],
    ['gemini-2.0-flash', { effort: 'none' }, undefined, []],
  ];
  for (const [model, reasoning, thinkingConfig, dropped] of cases) {
    test(`${model}: ${JSON.stringify(reasoning)}`, () => {
      const conversation = asking({ reasoning });
      assert.deepEqual(
        at(bodyFor(conversation, model), 'generationConfig', 'thinkingConfig'),
        thinkingConfig,
      );
      assert.deepEqual(droppedFor(conversation, model), dropped);
    });
  }

  test('of an unknown effort is refused', () => {
    assert.throws(() => bodyFor(asking({ reasoning: { effort: 'huge' } })), refusalOf('reasoning_effort'));
    assert.throws(
      () => bodyFor(asking({ reasoning: { effort: 'constructor' } })),
      refusalOf('reasoning_effort'),
    );
  });
});
