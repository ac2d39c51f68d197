import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { isGivenToolCallId } from '../../../src/dialects/gemini/tool-call-ids.ts';
import { refusalOf } from './conversations.ts';

const HI = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] };

function decode(body: JsonObject): Conversation {
  return gemini.decodeRequest(body, { model: 'gemini-2.5-pro', stream: true });
}

test('a request says its model and whether to stream in its address', () => {
  assert.deepEqual(decode(HI), {
    dialect: 'gemini',
    model: 'gemini-2.5-pro',
    stream: true,
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    parameters: {},
  });
});

test('snake case, single elements for lists, strings for texts and no role are understood', () => {
  const conversation = decode({
    contents: { parts: { text: 'Hi' } },
    system_instruction: 'Be kind.',
    tools: { function_declarations: { name: 'f', parameters_json_schema: { type: 'object', a_b: 1 } } },
    generation_config: { max_output_tokens: 5, stop_sequences: 'x', thinking_config: { thinking_budget: 3 } },
    tool_config: { function_calling_config: { mode: 'ANY', allowed_function_names: 'f' } },
  });
  assert.deepEqual(conversation.messages, [
    { role: 'system', parts: [{ type: 'text', text: 'Be kind.' }] },
    { role: 'user', parts: [{ type: 'text', text: 'Hi' }] },
  ]);
  assert.deepEqual(conversation.tools, [{ type: 'function', name: 'f', schema: { type: 'object', a_b: 1 } }]);
  assert.deepEqual(conversation.parameters, { maxOutputTokens: 5, stop: ['x'] });
  assert.deepEqual(conversation.reasoning, { budgetTokens: 3 });
  assert.deepEqual(conversation.toolChoice, { type: 'tool', name: 'f' });
});

describe('function calls and responses without ids', () => {
  test('are paired by name, in order', () => {
    const functionCall = (name: string) => ({ functionCall: { name, args: { n: 1 } } });
    const functionResponse = (name: string, output: string) => ({
      functionResponse: { name, response: { output } },
    });
    const { messages } = decode({
      contents: [
        ...HI.contents,
        { role: 'model', parts: [functionCall('f'), functionCall('g'), functionCall('f')] },
        {
          role: 'user',
          parts: [
            functionResponse('f', '1'),
            functionResponse('f', '2'),
            functionResponse('g', '3'),
            { text: 'so?' },
          ],
        },
      ],
    });
    const calls = messages[1]?.parts.flatMap((part) => (part.type === 'tool_call' ? [part.id] : [])) ?? [];
    const results = messages[2]?.parts.flatMap((part) => (part.type === 'tool_result' ? [part.callId] : []));
    assert.equal(new Set(calls).size, 3);
    assert.ok(calls.every((id) => !isGivenToolCallId(id)));
    assert.deepEqual(results, [calls[0], calls[2], calls[1]]);
    assert.deepEqual(
      messages.map(({ role }) => role),
      ['user', 'assistant', 'tool', 'user'],
    );
  });

  test('keep the ids that they have', () => {
    const { messages } = decode({
      contents: [
        ...HI.contents,
        { role: 'model', parts: [{ functionCall: { id: 'x1', name: 'f' }, thoughtSignature: 's' }] },
        { role: 'user', parts: [{ functionResponse: { id: 'x1', name: 'f', response: { error: 'no' } } }] },
      ],
    });
    assert.deepEqual(messages.slice(1), [
      {
        role: 'assistant',
        parts: [
          {
            type: 'tool_call',
            id: 'x1',
            name: 'f',
            kind: 'function',
            arguments: '{}',
            signature: { dialect: 'gemini', value: 's' },
          },
        ],
      },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            callId: 'x1',
            name: 'f',
            parts: [{ type: 'text', text: 'no' }],
            isError: true,
          },
        ],
      },
    ]);
  });
});

test('bytes in base64url become standard base64', () => {
  const { messages } = decode({
    contents: { parts: { inlineData: { mimeType: 'image/png', data: '_-8=' } } },
  });
  assert.deepEqual(messages[0]?.parts, [
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: '/+8=' } },
  ]);
});

test('what only Gemini knows is kept and written back', () => {
  const body = {
    ...HI,
    tools: [
      {
        functionDeclarations: [
          {
            name: 'f',
            parameters: { type: 'OBJECT', properties: { a: { type: 'STRING' } } },
            behavior: 'NON_BLOCKING',
          },
        ],
      },
      { googleSearch: {} },
    ],
    toolConfig: {
      functionCallingConfig: { mode: 'AUTO', streamFunctionCallArguments: true },
      retrievalConfig: { languageCode: 'de' },
    },
    generationConfig: {
      temperature: 1,
      responseMimeType: 'application/json',
      responseSchema: { type: 'STRING', nullable: true },
      speechConfig: { voiceConfig: {} },
      thinkingConfig: { thinkingLevel: 'LOW', includeThoughts: true },
    },
    safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'OFF' }],
    cachedContent: 'cachedContents/x',
    labels: { a_b: 'c' },
  };
  const conversation = decode(body);
  assert.deepEqual(conversation.responseFormat, {
    type: 'json_schema',
    name: 'response',
    schema: { type: ['string', 'null'] },
  });
  assert.deepEqual(conversation.reasoning, { effort: 'low', includeText: true });
  const [tool] = conversation.tools;
  assert.deepEqual(tool?.type === 'function' && tool.schema, {
    type: 'object',
    properties: { a: { type: 'string' } },
  });
  assert.deepEqual(gemini.encodeRequest(conversation, 'gemini-3-flash-preview'), { body, dropped: [] });
});

describe('a request that cannot be read is refused by its path', () => {
  const cases: [string, JsonObject][] = [
    ['contents', {}],
    ['contents[1]', { contents: [...HI.contents, 5] }],
    ['contents[0].role', { contents: [{ role: 'wizard', parts: [] }] }],
    ['contents[0].parts[0]', { contents: [{ parts: [5] }] }],
    ['contents[0].parts[0].text', { contents: [{ parts: [{ text: 5 }] }] }],
    ['contents[0].parts[0].inlineData', { contents: [{ parts: [{ inlineData: 'x' }] }] }],
    ['contents[0].parts', { contents: [{ parts: [{ functionResponse: {} }] }] }],
    ['generationConfig', { ...HI, generationConfig: 'x' }],
    ['generationConfig.temperature', { ...HI, generationConfig: { temperature: 'hot' } }],
    ['generationConfig.stopSequences', { ...HI, generationConfig: { stopSequences: [1] } }],
    ['tools[0]', { ...HI, tools: ['x'] }],
    ['tools[0].functionDeclarations[0].name', { ...HI, tools: [{ functionDeclarations: [{}] }] }],
  ];
  for (const [param, body] of cases) {
    test(param, () => assert.throws(() => decode(body), refusalOf(param)));
  }
});
