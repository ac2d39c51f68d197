import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompletionCollector, completionEvents } from '../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../src/conversation/completion.ts';
import type { Part, ReasoningPart } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';

/** What providers give of what they think, each in its own way. */
const REASONING: Record<string, ReasoningPart> = {
  'without a proof (DeepSeek)': { type: 'reasoning', text: 'hidden words', wantedBack: true },
  'encrypted (OpenAI)': {
    type: 'reasoning',
    text: 'hidden words',
    encrypted: { dialect: 'responses', value: 'gAAA' },
  },
  'signed (Claude at Bedrock)': {
    type: 'reasoning',
    text: 'hidden words',
    signature: { dialect: 'converse', value: 'c2ln' },
  },
};

const CALL: Part = { type: 'tool_call', id: 'call_abc', name: 'f', kind: 'function', arguments: '{"a":1}' };

function completion(...parts: Part[]): Completion {
  const finish = parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : 'stop';
  return { id: 'x', model: 'm', choices: [{ index: 0, parts, finish }] };
}

/** The bodies of clients that want to see thoughts and of those that do not. */
interface Door {
  dialect: Dialect;
  asking: JsonObject[];
  notAsking: JsonObject[];
  content(answer: JsonObject): JsonObject[];
  isThought(part: JsonObject): boolean;
  /** The client's next request, with the answer it got and a result. */
  next(content: JsonObject[]): JsonObject;
}

const DOORS: Door[] = [
  {
    dialect: messages,
    asking: [{ thinking: { type: 'enabled', budget_tokens: 2048 } }, { thinking: { type: 'adaptive' } }],
    notAsking: [
      {},
      { thinking: { type: 'disabled' } },
      { thinking: { type: 'adaptive', display: 'omitted' } },
    ],
    content: (answer) => answer['content'] as JsonObject[],
    isThought: ({ type }) => type === 'thinking' || type === 'redacted_thinking',
    next: (content) => ({
      ...{ model: 'm', max_tokens: 99 },
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content },
        {
          role: 'user',
          content: content
            .filter(({ type }) => type === 'tool_use')
            .map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'ok' })),
        },
      ],
    }),
  },
  {
    dialect: gemini,
    asking: [
      { generationConfig: { thinkingConfig: { includeThoughts: true } } },
      { generation_config: { thinking_config: { include_thoughts: true } } },
    ],
    notAsking: [
      {},
      { generationConfig: { thinkingConfig: { thinkingBudget: 1024 } } },
      { generationConfig: { thinkingConfig: { includeThoughts: false } } },
    ],
    content: (answer) =>
      ((answer['candidates'] as JsonObject[])[0] as { content: { parts?: JsonObject[] } }).content.parts ??
      [],
    isThought: ({ thought }) => thought === true,
    next: (parts) => ({
      contents: [
        { role: 'user', parts: [{ text: 'Hi' }] },
        { role: 'model', parts },
        {
          role: 'user',
          parts: parts
            .map((part) => part['functionCall'] as JsonObject | undefined)
            .filter((call) => call !== undefined)
            .map(({ id }) => ({ functionResponse: { id, name: 'f', response: { ok: true } } })),
        },
      ],
    }),
  },
];

/** What a client has of an answer: whole, or put together from its stream. */
const FORMS: Record<string, (door: Door, answer: Completion, request: JsonObject) => JsonObject[]> = {
  whole: ({ dialect, content }, answer, request) => content(dialect.encodeResponse(answer, request)),
  streamed: ({ dialect, content }, answer, request) => {
    const encoder = dialect.streamEncoder({ includeUsage: false, request });
    const text = [...completionEvents(answer)].map((event) => encoder.push(event)).join('');
    const decoder = dialect.streamDecoder();
    const collector = new CompletionCollector();
    const push = (event: CompletionEvent) => collector.push(event);
    for (const message of new EventReader().push(Buffer.from(text))) decoder.push(message).forEach(push);
    decoder.end().forEach(push);
    return content(dialect.encodeResponse(collector.completion));
  },
};

for (const door of DOORS) {
  const { dialect, asking, notAsking, isThought, next } = door;
  for (const [form, read] of Object.entries(FORMS)) {
    describe(`what a model thinks, ${form}, at the door of ${dialect.name}`, () => {
      for (const request of notAsking) {
        test(`is not in the answer to a client that did not ask: ${JSON.stringify(request)}`, () => {
          for (const reasoning of Object.values(REASONING)) {
            const content = read(door, completion(reasoning, { type: 'text', text: 'Four.' }), request);
            assert.equal(content[0]?.['text'], 'Four.');
            assert.doesNotMatch(JSON.stringify(content), /hidden words/);
          }
        });
      }

      for (const request of asking) {
        test(`is in the answer to a client that asked: ${JSON.stringify(request)}`, () => {
          const content = read(
            door,
            completion({ type: 'reasoning', text: 'shown' }, { type: 'text', text: 'Four.' }),
            request,
          );
          assert.deepEqual(content.map(isThought).slice(0, 2), [true, false]);
        });
      }

      test('goes nowhere where no provider takes it back (OpenRouter, Mistral): ids stay as they are', () => {
        const thought: ReasoningPart = { type: 'reasoning', text: 'hidden words' };
        const content = read(door, completion(thought, CALL), {});
        const bare = read(door, completion(CALL), {});
        assert.deepEqual(content, bare);
      });

      for (const [kind, reasoning] of Object.entries(REASONING)) {
        test(`is not named where it goes to another provider: its client never sent it, ${kind}`, () => {
          const content = read(door, completion(reasoning, CALL), {});
          const conversation = dialect.decodeRequest(next(content), { model: 'm' });
          for (const [other, model] of [
            [messages, 'claude-sonnet-4-5'],
            [gemini, 'gemini-2.5-flash'],
            [chat, 'some-model'],
          ] as const) {
            const { body, dropped } = other.encodeRequest(conversation, model);
            assert.deepEqual(dropped, [], other.name);
            assert.doesNotMatch(JSON.stringify(body), /hidden words/, other.name);
          }
        });

        test(`comes back with a tool's result although it was not shown, ${kind}`, () => {
          const second: Part = { ...CALL, id: 'call_def' } as Part;
          const said: Part = { type: 'text', text: 'I look it up.' };
          const content = read(door, completion(reasoning, said, CALL, second), {});
          assert.ok(!content.some(isThought), JSON.stringify(content));
          const { messages: list } = dialect.decodeRequest(next(content), { model: 'm' });
          const turn = list.find(({ role }) => role === 'assistant')?.parts ?? [];
          assert.deepEqual(
            turn.map(({ type }) => type),
            ['reasoning', 'text', 'tool_call', 'tool_call'],
          );
          const { text, signature, encrypted } = turn[0] as ReasoningPart;
          assert.deepEqual(
            { text, signature, encrypted },
            { text: reasoning.text, signature: reasoning.signature, encrypted: reasoning.encrypted },
          );
          const ids = turn.flatMap((part) => (part.type === 'tool_call' ? [part.id] : []));
          assert.deepEqual(ids, ['call_abc', 'call_def']);
        });
      }
    });
  }
}
