import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import {
  type ModelAnswer,
  type ModelChoice,
  type ModelUsage,
  piecesOf,
  slicesOf,
  totalInput,
  totalOutput,
} from '../fake-model.ts';
import type { Frame, Stream } from '../fake-reply.ts';
import { STREAM_ERROR } from './errors.ts';

/** What an answer is written with, beside what the model said. */
export interface Envelope {
  id: string;
  model: string;
  request: JsonObject;
  /** A fresh id for each tool call. */
  nextCallId: () => string;
  /** Show reasoning as OpenAI-compatible servers do (`reasoning_content`, or `reasoning`); OpenAI itself never shows it. */
  showReasoning: boolean | 'reasoning' | 'in tags';
}

const CREATED = 1_754_688_908;

/** `finish_reason` by the model's own word. A refusal is a normal stop with a `refusal` text. */
const FINISH: Readonly<Record<ModelChoice['finish'], string>> = {
  stop: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  refusal: 'stop',
  blocked: 'content_filter',
};

export function writeCompletion(answer: ModelAnswer, envelope: Envelope): JsonObject {
  const choices = answer.disruption.empty ? [] : answer.choices;
  return {
    id: envelope.id,
    object: 'chat.completion',
    created: CREATED,
    model: envelope.model,
    choices: choices.map((choice, index) => ({
      index,
      message: writeMessage(choice, envelope),
      logprobs: writeLogprobs(choice.text, envelope),
      finish_reason: finishReason(choice, envelope),
    })),
    usage: writeUsage(answer.usage),
    service_tier: 'default',
    system_fingerprint: 'fp_fake',
  };
}

function writeMessage(choice: ModelChoice, envelope: Envelope): JsonObject {
  const refused = choice.finish === 'refusal';
  const said = taggedReasoning(choice, envelope) + choice.text;
  const message: JsonObject = {
    role: 'assistant',
    content: refused || (choice.calls.length > 0 && said === '') ? null : said,
    refusal: refused ? choice.text : null,
    annotations: [],
  };
  const field = reasoningField(envelope);
  if (field !== undefined && choice.reasoning !== '') message[field] = choice.reasoning;
  const [first] = choice.calls;
  if (first && saysFunctions(envelope)) {
    message['function_call'] = { name: first.name, arguments: first.json };
  } else if (choice.calls.length > 0) {
    message['tool_calls'] = choice.calls.map((call) => ({
      id: envelope.nextCallId(),
      type: 'function',
      function: { name: call.name, arguments: call.json },
    }));
  }
  return message;
}

function reasoningField({ showReasoning }: Envelope): string | undefined {
  if (showReasoning === true) return 'reasoning_content';
  return showReasoning === 'reasoning' ? 'reasoning' : undefined;
}

/** Reasoning as the templates of DeepSeek R1 and its kin write it into the text. */
function taggedReasoning({ reasoning }: ModelChoice, { showReasoning }: Envelope): string {
  return showReasoning === 'in tags' && reasoning !== '' ? `<think>\n${reasoning}\n</think>\n\n` : '';
}

/** The deprecated form has one call, without an id. Reference: `functions`, `message.function_call`. */
function saysFunctions({ request }: Envelope): boolean {
  return Array.isArray(request['functions']) && !Array.isArray(request['tools']);
}

/** A forced function ends with `stop`, not with `tool_calls` (function calling guide, "Forcing a function call"). */
function finishReason(choice: ModelChoice, envelope: Envelope): string {
  const { tool_choice: said, function_call: named } = envelope.request;
  const forced = (isObject(said) && said['type'] === 'function') || isObject(named);
  if (choice.finish === 'tool_calls' && !forced && saysFunctions(envelope)) return 'function_call';
  return forced && choice.finish === 'tool_calls' ? 'stop' : FINISH[choice.finish];
}

/** Cached and audio tokens are part of the sums here; in the model's usage the buckets are disjoint. */
export function writeUsage(usage: ModelUsage): JsonObject {
  const promptDetails: JsonObject = { cached_tokens: usage.cacheRead, audio_tokens: usage.inputAudio };
  const written = usage.cacheWrite + usage.cacheWrite1h;
  // Recorded from models with a cache that can be written to, absent elsewhere.
  if (written > 0) promptDetails['cache_write_tokens'] = written;
  return {
    prompt_tokens: totalInput(usage),
    completion_tokens: totalOutput(usage),
    total_tokens: totalInput(usage) + totalOutput(usage),
    prompt_tokens_details: promptDetails,
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.outputAudio,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function writeLogprobs(text: string, { request }: Envelope): JsonObject | null {
  if (request['logprobs'] !== true || text === '') return null;
  const top = typeof request['top_logprobs'] === 'number' ? request['top_logprobs'] : 0;
  const content = piecesOf(text).map((token) => {
    const entry = { token, logprob: -0.25, bytes: [...Buffer.from(token)] };
    return { ...entry, top_logprobs: top > 0 ? [entry] : [] };
  });
  return { content, refusal: null };
}

/** The chunks as recorded: a role chunk, deltas, a finish chunk, the usage where it was asked for, `[DONE]`. */
export function writeStream(answer: ModelAnswer, envelope: Envelope): Stream {
  const { stream_options: options } = envelope.request;
  const wantsUsage = isObject(options) && options['include_usage'] === true;
  const hidesLength = !isObject(options) || options['include_obfuscation'] !== false;
  const chunk = (part: Frame['part'], choices: JsonObject[], usage: JsonObject | null = null): Frame => {
    const body: JsonObject = {
      id: envelope.id,
      object: 'chat.completion.chunk',
      created: CREATED,
      model: envelope.model,
      service_tier: 'default',
      system_fingerprint: 'fp_fake',
      choices,
    };
    if (wantsUsage) body['usage'] = usage;
    if (hidesLength) body['obfuscation'] = 'fakefake';
    return { part, text: `data: ${JSON.stringify(body)}\n\n` };
  };
  const delta = (index: number, fields: JsonObject, logprobs: JsonObject | null = null): JsonObject => ({
    index,
    delta: fields,
    logprobs,
    finish_reason: null,
  });
  const frames: Frame[] = answer.choices.map((choice, index) =>
    chunk('start', [delta(index, writeRole(choice))]),
  );
  for (const [index, choice] of answer.choices.entries()) {
    for (const [fields, text] of writeDeltas(choice, envelope)) {
      frames.push(chunk('output', [delta(index, fields, writeLogprobs(text, envelope))]));
    }
  }
  for (const [index, choice] of answer.choices.entries()) {
    const finish = finishReason(choice, envelope);
    frames.push(chunk('end', [{ index, delta: {}, logprobs: null, finish_reason: finish }]));
  }
  if (wantsUsage) frames.push(chunk('end', [], writeUsage(answer.usage)));
  frames.push({ part: 'end', text: 'data: [DONE]\n\n' });
  return { frames, error: `data: ${JSON.stringify(STREAM_ERROR)}\n\n` };
}

function writeRole(choice: ModelChoice): JsonObject {
  return choice.calls.length > 0
    ? { role: 'assistant', content: null }
    : { role: 'assistant', content: '', refusal: null };
}

/** Deltas of one choice, each with the text that log probabilities are about. */
function writeDeltas(choice: ModelChoice, envelope: Envelope): [JsonObject, string][] {
  const reasoningIn = reasoningField(envelope);
  const reasoning = reasoningIn === undefined ? [] : piecesOf(choice.reasoning);
  const field = choice.finish === 'refusal' ? 'refusal' : 'content';
  return [
    ...reasoning.map((piece): [JsonObject, string] => [{ [reasoningIn ?? '']: piece }, '']),
    ...piecesOf(taggedReasoning(choice, envelope) + choice.text).map((piece): [JsonObject, string] => [
      { [field]: piece },
      piece,
    ]),
    ...(saysFunctions(envelope) ? choice.calls.slice(0, 1) : choice.calls).flatMap((call, index) => {
      const pieces = slicesOf(call.json, 7);
      if (saysFunctions(envelope)) {
        const head = { name: call.name, arguments: '' };
        return [head, ...pieces.map((piece) => ({ arguments: piece }))].map((piece): [JsonObject, string] => [
          { function_call: piece },
          '',
        ]);
      }
      const id = envelope.nextCallId();
      const head = { index, id, type: 'function', function: { name: call.name, arguments: '' } };
      const deltas = pieces.map((piece) => ({ index, function: { arguments: piece } }));
      return [head, ...deltas].map((piece): [JsonObject, string] => [{ tool_calls: [piece] }, '']);
    }),
  ];
}
