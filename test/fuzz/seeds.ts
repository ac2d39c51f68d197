import { completionEvents } from '../../src/conversation/collect.ts';
import type { Completion } from '../../src/conversation/completion.ts';
import type { DialectName } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import type { StreamMessage } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { messageOf } from '../dialects/converse/frames.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { type RecordedCall, recordedCalls } from '../wire/corpus.ts';
import { isSpokenByCallers } from '../wire/crossing.ts';

/** What mutations begin with: what is recorded, and bodies of our own, so that there is something without recordings. */
export interface Seeds {
  requests: JsonObject[];
  answers: JsonObject[];
  streams: StreamMessage[][];
}

export function seedsOf(dialect: DialectName): Seeds {
  // The largest recordings hold images of a megabyte, which say nothing more than small ones.
  const recorded = recordedCalls().filter((call) => call.dialect === dialect && sizeOf(call) < 60_000);
  return {
    requests: [...OWN_REQUESTS[dialect], ...recorded.flatMap(({ request }) => (request ? [request] : []))],
    answers: [...ownAnswers(dialect), ...recorded.flatMap(({ answer }) => (answer ? [answer] : []))],
    streams: [...ownStreams(dialect), ...recorded.flatMap(({ messages }) => (messages ? [messages] : []))],
  };
}

function sizeOf({ request, answer, messages }: RecordedCall): number {
  return JSON.stringify([request, answer, messages]).length;
}

const SCHEMA: JsonObject = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: ['integer', 'null'], minimum: 1 } },
  required: ['city'],
  additionalProperties: false,
};
const IMAGE = `data:image/png;base64,${PIXEL_PNG}`;

const OWN_REQUESTS: Readonly<Record<DialectName, JsonObject[]>> = {
  chat: [
    { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
    {
      model: 'm',
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'What is it?', cache_control: { type: 'ephemeral' } },
            { type: 'image_url', image_url: { url: IMAGE, detail: 'low' } },
            { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'Hm',
          reasoning_details: [
            { type: 'reasoning.text', text: 'Hm', signature: 's', format: 'anthropic-claude-v1', index: 0 },
          ],
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } },
            { id: 'call_2', type: 'custom', custom: { name: 'patch', input: 'free' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'Sunny' },
        { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'Done' }] },
      ],
      tools: [
        {
          type: 'function',
          function: { name: 'weather', description: 'Tells.', parameters: SCHEMA, strict: true },
        },
        { type: 'custom', custom: { name: 'patch', format: { type: 'text' } } },
      ],
      tool_choice: { type: 'function', function: { name: 'weather' } },
      parallel_tool_calls: false,
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema: SCHEMA, strict: true } },
      reasoning_effort: 'low',
      max_completion_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      stop: ['END'],
      n: 1,
      seed: 7,
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { '5': -1 },
      user: 'u',
      metadata: { a: 'b' },
    },
  ],
  responses: [
    { model: 'm', input: 'Hello' },
    {
      model: 'm',
      stream: true,
      store: false,
      instructions: 'Be brief.',
      include: ['reasoning.encrypted_content'],
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What?' },
            { type: 'input_image', image_url: IMAGE },
          ],
        },
        {
          type: 'reasoning',
          id: 'rs_1',
          summary: [{ type: 'summary_text', text: 'Hm' }],
          encrypted_content: 'abc',
        },
        { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Ulm"}' },
        { type: 'function_call_output', call_id: 'call_1', output: 'Sunny' },
        { type: 'custom_tool_call', call_id: 'call_2', name: 'patch', input: 'free' },
        { type: 'custom_tool_call_output', call_id: 'call_2', output: 'Done' },
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'So', annotations: [] }],
        },
        { role: 'user', content: 'Go on' },
      ],
      tools: [
        { type: 'function', name: 'weather', parameters: SCHEMA, strict: true },
        { type: 'custom', name: 'patch' },
        { type: 'web_search' },
      ],
      tool_choice: 'auto',
      reasoning: { effort: 'low', summary: 'auto' },
      text: { format: { type: 'json_schema', name: 'a', schema: SCHEMA }, verbosity: 'low' },
      max_output_tokens: 100,
      metadata: { a: 'b' },
    },
  ],
  messages: [
    { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] },
    {
      model: 'm',
      max_tokens: 4000,
      stream: true,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL_PNG } },
            { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Doc' }, title: 'T' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm', signature: 'abc' },
            { type: 'redacted_thinking', data: 'abc' },
            { type: 'text', text: 'So' },
            { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Ulm' } },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              is_error: false,
              content: [{ type: 'text', text: 'Sunny' }],
            },
          ],
        },
      ],
      tools: [
        { name: 'weather', input_schema: SCHEMA },
        { type: 'web_search_20250305', name: 'web_search' },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      thinking: { type: 'enabled', budget_tokens: 1024 },
      stop_sequences: ['END'],
      metadata: { user_id: 'u' },
    },
  ],
  gemini: [
    { contents: [{ parts: [{ text: 'Hello' }] }] },
    {
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [
        {
          role: 'user',
          parts: [{ text: 'What?' }, { inlineData: { mimeType: 'image/png', data: PIXEL_PNG } }],
        },
        {
          role: 'model',
          parts: [
            { text: 'Hm', thought: true },
            { functionCall: { name: 'weather', args: { city: 'Ulm' } }, thoughtSignature: 'YWJj' },
          ],
        },
        { role: 'user', parts: [{ functionResponse: { name: 'weather', response: { output: 'Sunny' } } }] },
      ],
      tools: [
        {
          functionDeclarations: [
            { name: 'weather', parameters: { type: 'OBJECT', properties: { city: { type: 'STRING' } } } },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['weather'] } },
      generationConfig: {
        maxOutputTokens: 100,
        temperature: 0.5,
        topK: 5,
        stopSequences: ['END'],
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT', properties: { a: { type: 'STRING', nullable: true } } },
        thinkingConfig: { thinkingBudget: 100, includeThoughts: true },
      },
      safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }],
    },
  ],
  // No caller speaks it.
  converse: [],
};

const ANSWER: Completion = {
  id: 'made_1',
  model: 'm',
  created: 1,
  choices: [
    {
      index: 0,
      finish: 'tool_calls',
      parts: [
        { type: 'reasoning', text: 'Hm, let me see.', signature: { dialect: 'messages', value: 'abc' } },
        {
          type: 'text',
          text: 'Grüße 👋',
          citations: [{ url: 'https://a.example', title: 'A', start: 0, end: 5 }],
        },
        { type: 'tool_call', id: 'call_1', name: 'weather', kind: 'function', arguments: '{"city":"Ulm"}' },
        { type: 'tool_call', id: 'call_2', name: 'weather', kind: 'function', arguments: '{}' },
      ],
    },
  ],
  usage: { ...NO_USAGE, input: 10, cacheRead: 4, output: 5, reasoning: 2 },
};

function ownAnswers(dialect: DialectName): JsonObject[] {
  return isSpokenByCallers(dialect) ? [DIALECTS[dialect].encodeResponse(ANSWER)] : [CONVERSE_ANSWER];
}

function ownStreams(dialect: DialectName): StreamMessage[][] {
  if (!isSpokenByCallers(dialect)) return [CONVERSE_STREAM.map(messageOf)];
  const encoder = DIALECTS[dialect].streamEncoder({ includeUsage: true });
  const reader = new EventReader();
  const bytes = Buffer.from([...completionEvents(ANSWER)].map((event) => encoder.push(event)).join(''));
  return [[...reader.push(bytes), ...reader.end()]];
}

const CONVERSE_USAGE: JsonObject = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
const CONVERSE_ANSWER: JsonObject = {
  output: {
    message: {
      role: 'assistant',
      content: [
        { reasoningContent: { reasoningText: { text: 'Hm', signature: 'abc' } } },
        { text: 'Hi' },
        { toolUse: { toolUseId: 'tooluse_1', name: 'weather', input: { city: 'Ulm' } } },
      ],
    },
  },
  stopReason: 'tool_use',
  usage: CONVERSE_USAGE,
  metrics: { latencyMs: 1 },
};
const CONVERSE_STREAM: JsonObject[] = [
  { messageStart: { role: 'assistant' } },
  { contentBlockDelta: { contentBlockIndex: 0, delta: { reasoningContent: { text: 'Hm' } } } },
  { contentBlockDelta: { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'abc' } } } },
  { contentBlockStop: { contentBlockIndex: 0 } },
  { contentBlockDelta: { contentBlockIndex: 1, delta: { text: 'Hi' } } },
  { contentBlockStop: { contentBlockIndex: 1 } },
  {
    contentBlockStart: {
      contentBlockIndex: 2,
      start: { toolUse: { toolUseId: 'tooluse_1', name: 'weather' } },
    },
  },
  { contentBlockDelta: { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":' } } } },
  { contentBlockDelta: { contentBlockIndex: 2, delta: { toolUse: { input: '"Ulm"}' } } } },
  { contentBlockStop: { contentBlockIndex: 2 } },
  { messageStop: { stopReason: 'tool_use' } },
  { metadata: { usage: CONVERSE_USAGE, metrics: { latencyMs: 1 } } },
];
