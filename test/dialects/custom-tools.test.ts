import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { collectEvents } from '../../src/conversation/collect.ts';
import type { ToolCallPart } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { QuirkedChat } from '../../src/dialects/chat/quirked-chat.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const kin = new QuirkedChat({}).dialect;
const openai = new QuirkedChat({ customTools: true }).dialect;

const GRAMMAR = { type: 'grammar', syntax: 'lark', definition: 'start: "a"' };
const ASKED: JsonObject = {
  model: 'm',
  tools: [
    { type: 'custom', name: 'patch', description: 'Edits files', format: GRAMMAR },
    { type: 'function', name: 'look', parameters: { type: 'object', properties: {} } },
  ],
  tool_choice: { type: 'custom', name: 'patch' },
  input: [
    { role: 'user', content: 'Go' },
    { type: 'custom_tool_call', call_id: 'c1', name: 'patch', input: 'say "hi"' },
    { type: 'custom_tool_call_output', call_id: 'c1', output: 'done' },
  ],
};
const SCHEMA = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as plain text.' } },
  required: ['input'],
};
const DESCRIPTION = `Edits files\n\nThe input must follow this format: ${JSON.stringify({
  type: 'grammar',
  grammar: { syntax: 'lark', definition: 'start: "a"' },
})}`;

/** What a model answers that was given the function; the text is JSON inside JSON. */
const CALL: ToolCallPart = {
  type: 'tool_call',
  id: 'c2',
  kind: 'custom',
  name: 'patch',
  arguments: 'a "b"\n',
};
const WRITTEN = JSON.stringify({ input: CALL.arguments });

describe('a tool that takes free text', () => {
  test('is a function with one text at OpenAI’s kin, in tools, choice and history', () => {
    const { body, dropped } = kin.encodeRequest(responses.decodeRequest(ASKED, {}), 'llama');
    assert.deepEqual((body['tools'] as JsonObject[])[0], {
      type: 'function',
      function: { name: 'fairlead_custom_patch', description: DESCRIPTION, parameters: SCHEMA },
    });
    assert.deepEqual(body['tool_choice'], { type: 'function', function: { name: 'fairlead_custom_patch' } });
    assert.deepEqual((body['messages'] as JsonObject[])[1]?.['tool_calls'], [
      {
        id: 'c1',
        type: 'function',
        function: { name: 'fairlead_custom_patch', arguments: '{"input":"say \\"hi\\""}' },
      },
    ]);
    assert.deepEqual(dropped, ['tools[0].format']);
  });

  test('is what it is at a provider that has such', () => {
    const { body } = openai.encodeRequest(responses.decodeRequest(ASKED, {}), 'gpt-5');
    assert.equal((body['tools'] as JsonObject[])[0]?.['type'], 'custom');
    assert.deepEqual(body['tool_choice'], { type: 'custom', custom: { name: 'patch' } });
  });

  test('is a function with one text at Gemini', () => {
    const { body, dropped } = gemini.encodeRequest(responses.decodeRequest(ASKED, {}), 'gemini-2.5-pro');
    const [{ functionDeclarations }] = body['tools'] as [{ functionDeclarations: JsonObject[] }];
    assert.equal(functionDeclarations[0]?.['name'], 'fairlead_custom_patch');
    assert.equal(functionDeclarations[0]?.['description'], DESCRIPTION);
    assert.deepEqual(body['toolConfig'], {
      functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['fairlead_custom_patch'] },
    });
    const [, model, user] = body['contents'] as { parts: JsonObject[] }[];
    const called = { name: 'fairlead_custom_patch', args: { input: 'say "hi"' } };
    assert.deepEqual(model?.parts[0]?.['functionCall'], called);
    assert.deepEqual(user?.parts[0]?.['functionResponse'], {
      name: 'fairlead_custom_patch',
      response: { output: 'done' },
    });
    assert.deepEqual(dropped, ['tools[0].format']);
  });

  test('may not be named as the gateway names its own', () => {
    const tools = [{ type: 'function', name: 'fairlead_custom_x', parameters: { type: 'object' } }];
    const asked = responses.decodeRequest({ model: 'm', input: 'Hi', tools }, {});
    for (const dialect of [kin, gemini]) {
      assert.throws(() => dialect.encodeRequest(asked, 'm'), { param: 'tools[0].name' });
    }
  });
});

describe('a call of it is a custom call again', () => {
  test('in an answer of OpenAI’s kin', () => {
    const call = {
      id: 'c2',
      type: 'function',
      function: { name: 'fairlead_custom_patch', arguments: WRITTEN },
    };
    const message = { role: 'assistant', content: null, tool_calls: [call] };
    const answer = { id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: 'tool_calls' }] };
    assert.deepEqual(kin.decodeResponse(answer).choices[0]?.parts, [CALL]);
  });

  test('in a stream of OpenAI’s kin, however it is cut', () => {
    for (let size = 1; size <= WRITTEN.length; size++) {
      const deltas: JsonObject[] = [
        { index: 0, id: 'c2', type: 'function', function: { name: 'fairlead_custom_patch', arguments: '' } },
      ];
      for (let at = 0; at < WRITTEN.length; at += size)
        deltas.push({ index: 0, function: { arguments: WRITTEN.slice(at, at + size) } });
      const decoder = kin.streamDecoder();
      const events = [
        ...deltas.flatMap((delta) => decoder.push(chunk({ tool_calls: [delta] }))),
        ...decoder.push(chunk({}, 'tool_calls')),
        ...decoder.push({ data: '[DONE]' }),
      ];
      assert.deepEqual(collectEvents(events).completion.choices[0]?.parts, [CALL]);
    }
  });

  test('in answers and streams of Gemini', () => {
    const functionCall = { id: 'c2', name: 'fairlead_custom_patch', args: { input: CALL.arguments } };
    const candidates = [{ content: { role: 'model', parts: [{ functionCall }] }, finishReason: 'STOP' }];
    assert.deepEqual(gemini.decodeResponse({ candidates }).choices[0]?.parts, [CALL]);
    const decoder = gemini.streamDecoder();
    const events = [...decoder.push({ data: JSON.stringify({ candidates }) }), ...decoder.end()];
    assert.deepEqual(collectEvents(events).completion.choices[0]?.parts, [CALL]);
  });
});

function chunk(delta: JsonObject, finish: string | null = null): { data: string } {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return { data: JSON.stringify({ id: 'x', model: 'm', choices }) };
}
