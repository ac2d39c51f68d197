import fc from 'fast-check';
import type { Conversation, Message, Part, Tool, ToolChoice } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { conversation } from './messages/conversations.ts';

const words = fc.constantFrom('', ' ', '\n', 'Hi', 'Hello ', 'ä…');
const toolName = fc.constantFrom('look', 'find', 'no such tool!');
const callId = fc.constantFrom('a', 'b', 'call:1', 'call.1', '');
const args = fc.constantFrom('{}', '', '{"a":1}', '{"a":', '[1]');

const textPart = words.map((text): Part => ({ type: 'text', text }));
const foreignThought = words.map((text): Part => ({ type: 'reasoning', text }));
const call = fc
  .tuple(callId, toolName, args)
  .map(([id, name, text]): Part => ({ type: 'tool_call', id, name, kind: 'function', arguments: text }));

/** An assistant's turn and the results of its calls, in any order. */
const toolTurn = fc
  .tuple(fc.array(fc.oneof(textPart, foreignThought)), fc.uniqueArray(call, { selector: idOf, maxLength: 3 }))
  .map(([before, calls]): Message[] => [
    { role: 'assistant', parts: [...before, ...calls] },
    ...calls.toReversed().map(
      (part): Message => ({
        role: 'tool',
        parts: [{ type: 'tool_result', callId: idOf(part), parts: [{ type: 'text', text: '' }] }],
      }),
    ),
  ]);
const plainTurn = fc
  .tuple(fc.constantFrom<Message['role']>('system', 'developer', 'user', 'assistant'), fc.array(textPart))
  .map(([role, parts]): Message[] => [{ role, parts }]);

function idOf(part: Part): string {
  return part.type === 'tool_call' ? part.id : '';
}

const schema = fc.constantFrom<JsonObject>(
  { type: 'object', properties: { a: { type: 'string', maxLength: 3 } }, required: ['a'] },
  { type: 'object', additionalProperties: { type: 'number' } },
  { properties: { a: { oneOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] } } },
  { type: 'object', properties: { next: { $ref: '#' } } },
);
const tool = fc
  .record({ name: fc.constantFrom('look', 'find'), schema, strict: fc.boolean() })
  .map((fields): Tool => ({ type: 'function', ...fields }));
const customTool = fc.constant<Tool>({ type: 'custom', name: 'patch' });
const choice = fc.constantFrom<ToolChoice>(
  { type: 'auto' },
  { type: 'none' },
  { type: 'required' },
  { type: 'allowed', mode: 'required', names: ['look', 'find', 'patch'] },
);

function maybe<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined });
}

/** What callers of chat ask, with much in it that strict providers refuse as it stands. */
export const askedConversation: fc.Arbitrary<Conversation> = fc
  .record({
    messages: fc.array(fc.oneof(plainTurn, toolTurn), { minLength: 1, maxLength: 5 }),
    tools: fc.uniqueArray(fc.oneof(tool, customTool), {
      selector: (item) => (item.type === 'opaque' ? '' : item.name),
      maxLength: 3,
    }),
    toolChoice: maybe(choice),
    parallelToolCalls: maybe(fc.boolean()),
    temperature: maybe(fc.constantFrom(0, 0.5, 1, 2)),
    topP: maybe(fc.constantFrom(0.5, 1)),
    topK: maybe(fc.constant(5)),
    maxOutputTokens: maybe(fc.constantFrom(1, 1_024, 1_025, 2_000, 500_000)),
    stop: maybe(fc.array(words)),
    effort: maybe(fc.constantFrom('none', 'minimal', 'low', 'high', 'xhigh', 'max', 'heroic')),
    format: maybe(schema),
  })
  .map(({ messages: turns, tools, toolChoice, parallelToolCalls, effort, format, ...parameters }) =>
    conversation({
      messages: turns.flat(),
      tools,
      ...(toolChoice === undefined ? {} : { toolChoice }),
      ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
      ...(effort === undefined ? {} : { reasoning: { effort } }),
      ...(format === undefined ? {} : { responseFormat: { type: 'json_schema', name: 'a', schema: format } }),
      parameters: Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)),
    }),
  );
