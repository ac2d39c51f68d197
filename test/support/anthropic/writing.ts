import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import {
  type ModelAnswer,
  type ModelChoice,
  type ModelUsage,
  piecesOf,
  REFUSAL_TEXT,
  slicesOf,
  totalOutput,
} from '../fake-model.ts';
import type { Frame, Stream } from '../fake-reply.ts';
import type { Signer } from '../signatures.ts';
import { STREAM_ERROR } from './errors.ts';

/** What an answer is written with, beside what the model said. */
export interface Envelope {
  id: string;
  model: string;
  /** Of `writeContent`. */
  content: JsonObject[];
  /** Absent where nobody asked for it. */
  diagnostics?: JsonValue | undefined;
}

export interface ContentOptions {
  request: JsonObject;
  signer: Signer;
  /** A fresh id for each tool call. */
  nextCallId: () => string;
}

const STOP_REASONS: Readonly<Record<ModelChoice['finish'], string>> = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  refusal: 'refusal',
  blocked: 'refusal',
};

const NO_CHOICE: ModelChoice = { reasoning: '', text: '', calls: [], finish: 'stop' };

export function writeMessage(answer: ModelAnswer, envelope: Envelope): JsonObject {
  const choice = answer.choices[0] ?? NO_CHOICE;
  return {
    model: envelope.model,
    id: envelope.id,
    type: 'message',
    role: 'assistant',
    content: answer.disruption.empty ? [] : envelope.content,
    ...writeStop(choice),
    usage: { ...writeUsage(answer.usage), service_tier: 'standard', inference_geo: 'not_available' },
    ...(envelope.diagnostics !== undefined && { diagnostics: envelope.diagnostics }),
  };
}

function writeStop(choice: ModelChoice): JsonObject {
  const reason = STOP_REASONS[choice.finish];
  const stop: JsonObject = { stop_reason: reason, stop_sequence: choice.stopSequence ?? null };
  // Recorded.
  if (reason === 'refusal') {
    stop['stop_details'] = { type: 'refusal', category: 'cyber', explanation: REFUSAL_TEXT };
  }
  return stop;
}

/** The blocks of an answer, whole. */
export function writeContent(
  { choices: [choice = NO_CHOICE] }: ModelAnswer,
  options: ContentOptions,
): JsonObject[] {
  const blocks: JsonObject[] = [];
  if (choice.reasoning !== '') blocks.push(writeThinking(choice.reasoning, options));
  // A refusal comes without words (recorded): its explanation is in `stop_details`.
  if (choice.text !== '' && choice.finish !== 'refusal') blocks.push({ type: 'text', text: choice.text });
  for (const call of choice.calls) {
    blocks.push({
      type: 'tool_use',
      id: options.nextCallId(),
      name: call.name,
      input: call.input,
      caller: { type: 'direct' },
    });
  }
  return blocks;
}

/** `display: "omitted"` leaves the words out and keeps the proof. */
function writeThinking(reasoning: string, { request, signer }: ContentOptions): JsonObject {
  const { thinking } = request;
  const shown = isObject(thinking) && thinking['display'] === 'omitted' ? '' : reasoning;
  return { type: 'thinking', thinking: shown, signature: signer.sign(shown) };
}

/** `input_tokens` leaves out what came from or went to the cache. Audio is nothing Anthropic counts apart. */
function writeUsage(usage: ModelUsage): JsonObject {
  const written: JsonObject = {
    input_tokens: usage.input + usage.inputAudio,
    cache_creation_input_tokens: usage.cacheWrite + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite,
      ephemeral_1h_input_tokens: usage.cacheWrite1h,
    },
    output_tokens: totalOutput(usage),
  };
  if (usage.reasoning > 0) written['output_tokens_details'] = { thinking_tokens: usage.reasoning };
  return written;
}

/** The events as recorded: pings in between, an empty first piece of tool input, the usage in two places. */
export function writeStream(answer: ModelAnswer, envelope: Envelope): Stream {
  const message = writeMessage(answer, envelope);
  const usage = writeUsage(answer.usage);
  const opening = {
    ...message,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usage, output_tokens: 1, service_tier: 'standard', inference_geo: 'not_available' },
  };
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens } = usage;
  const frames: Frame[] = [writeEvent('start', { type: 'message_start', message: opening })];
  for (const [index, block] of envelope.content.entries()) {
    frames.push(...writeBlockEvents(index, block));
  }
  if (frames.length === 1) frames.push(writeEvent('start', { type: 'ping' }));
  frames.push(
    writeEvent('end', {
      type: 'message_delta',
      delta: writeStop(answer.choices[0] ?? NO_CHOICE),
      usage: { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens },
    }),
    writeEvent('end', { type: 'message_stop' }),
  );
  return { frames, error: writeEvent('end', STREAM_ERROR).text };
}

function writeBlockEvents(index: number, block: JsonObject): Frame[] {
  const { opening, deltas } = openBlock(block);
  // Text and thinking blocks open empty: nothing of the answer is out yet.
  const part = index === 0 && block['type'] !== 'tool_use' ? 'start' : 'output';
  const frames = [writeEvent(part, { type: 'content_block_start', index, content_block: opening })];
  if (index === 0) frames.push(writeEvent(part, { type: 'ping' }));
  for (const delta of deltas)
    frames.push(writeEvent('output', { type: 'content_block_delta', index, delta }));
  frames.push(writeEvent('output', { type: 'content_block_stop', index }));
  return frames;
}

function openBlock(block: JsonObject): { opening: JsonObject; deltas: JsonObject[] } {
  switch (block['type']) {
    case 'thinking':
      return {
        opening: { ...block, thinking: '', signature: '' },
        deltas: [
          ...piecesOf(String(block['thinking'])).map((thinking) => ({ type: 'thinking_delta', thinking })),
          { type: 'signature_delta', signature: block['signature'] ?? '' },
        ],
      };
    case 'tool_use': {
      const json = JSON.stringify(block['input']);
      // Without arguments only the empty piece comes (recorded).
      const pieces = json === '{}' ? [''] : ['', ...slicesOf(json, 7)];
      return {
        opening: { ...block, input: {} },
        deltas: pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece })),
      };
    }
    default:
      return {
        opening: { ...block, text: '' },
        deltas: piecesOf(String(block['text'])).map((text) => ({ type: 'text_delta', text })),
      };
  }
}

/** Anthropic pads its events with blanks before the last brace. */
function writeEvent(part: Frame['part'], event: JsonObject): Frame {
  const json = JSON.stringify(event);
  return { part, text: `event: ${event['type']}\ndata: ${json.slice(0, -1)}   }\n\n` };
}
