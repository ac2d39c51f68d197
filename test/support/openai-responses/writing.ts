import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
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
import { stringsOf } from '../values.ts';
import { encryptReasoning } from './rules.ts';

/** What an answer is written with, beside what the model said. */
export interface Envelope {
  id: string;
  request: JsonObject;
  /** Whose reasoning it is. */
  owner: string;
  /** A fresh id for each item and call. */
  nextId: (prefix: string) => string;
}

const CREATED = 1_754_688_908;

/** Fields of the request that a response repeats, with their defaults. */
const REPEATED: JsonObject = {
  background: false,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: { effort: null, summary: null },
  safety_identifier: null,
  service_tier: 'default',
  store: true,
  temperature: 1,
  text: { format: { type: 'text' }, verbosity: 'medium' },
  tool_choice: 'auto',
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
};

/** The response as it stands when it begins. */
function beginResponse({ id, request }: Envelope): JsonObject {
  const repeated = Object.entries(REPEATED).map(([key, usual]) => [key, request[key] ?? usual]);
  return {
    id,
    object: 'response',
    created_at: CREATED,
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    model: request['model'] ?? null,
    output: [],
    ...(Object.fromEntries(repeated) as JsonObject),
    usage: null,
  };
}

const INCOMPLETE: Readonly<Partial<Record<ModelChoice['finish'], string>>> = {
  length: 'max_output_tokens',
  blocked: 'content_filter',
};

export function writeResponse(answer: ModelAnswer, envelope: Envelope): JsonObject {
  return endResponse(answer, envelope, writeItems(answer, envelope));
}

function endResponse(answer: ModelAnswer, envelope: Envelope, output: JsonObject[]): JsonObject {
  const reason = INCOMPLETE[answer.choices[0]?.finish ?? 'stop'];
  return {
    ...beginResponse(envelope),
    status: reason === undefined ? 'completed' : 'incomplete',
    incomplete_details: reason === undefined ? null : { reason },
    output,
    usage: writeUsage(answer.usage),
  };
}

function writeItems({ choices: [choice], disruption }: ModelAnswer, envelope: Envelope): JsonObject[] {
  if (!choice || disruption.empty) return [];
  const { nextId, request } = envelope;
  const items: JsonObject[] = [];
  if (choice.reasoning !== '') {
    const encrypts = stringsOf(request['include']).includes('reasoning.encrypted_content');
    items.push({
      id: nextId('rs_'),
      type: 'reasoning',
      summary: asksSummary(request) ? [{ type: 'summary_text', text: choice.reasoning }] : [],
      ...(encrypts ? { encrypted_content: encryptReasoning(choice.reasoning, envelope.owner) } : {}),
    });
  }
  if (choice.text !== '') items.push(writeMessage(choice, nextId('msg_')));
  for (const { name, json } of choice.calls) {
    const fields = { id: nextId('fc_'), type: 'function_call', status: 'completed', arguments: json };
    items.push({ ...fields, call_id: nextId('call_'), name });
  }
  return items;
}

/** Unasked, none is made ("Reasoning models", summaries). */
function asksSummary({ reasoning }: JsonObject): boolean {
  return isObject(reasoning) && typeof (reasoning['summary'] ?? reasoning['generate_summary']) === 'string';
}

function writeMessage({ text, finish }: ModelChoice, id: string): JsonObject {
  const part =
    finish === 'refusal'
      ? { type: 'refusal', refusal: text }
      : { type: 'output_text', annotations: [], logprobs: [], text };
  const status = INCOMPLETE[finish] === undefined ? 'completed' : 'incomplete';
  return { id, type: 'message', status, content: [part], role: 'assistant' };
}

/** Cached and reasoning tokens are part of the sums here; in the model's usage the buckets are disjoint. */
function writeUsage(usage: ModelUsage): JsonObject {
  return {
    input_tokens: totalInput(usage),
    input_tokens_details: { cached_tokens: usage.cacheRead },
    output_tokens: totalOutput(usage),
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: totalInput(usage) + totalOutput(usage),
  };
}

/** The events as recorded: numbered, each named by its type, the last one with the whole response. */
export function writeStream(answer: ModelAnswer, envelope: Envelope): Stream {
  let sequence = 0;
  const frames: Frame[] = [];
  const add = (part: Frame['part'], type: string, fields: JsonObject): void => {
    const data = JSON.stringify({ type, sequence_number: sequence++, ...fields });
    frames.push({ part, text: `event: ${type}\ndata: ${data}\n\n` });
  };
  const begun = beginResponse(envelope);
  add('start', 'response.created', { response: begun });
  add('start', 'response.in_progress', { response: begun });
  const items = writeItems(answer, envelope);
  for (const [index, item] of items.entries()) {
    for (const [type, fields] of itemEvents(item, index)) {
      const isOutput = /\.(delta|done)$/.test(type) || frames.some(({ part }) => part === 'output');
      add(isOutput ? 'output' : 'start', type, fields);
    }
  }
  const response = endResponse(answer, envelope, items);
  add('end', `response.${response['status']}`, { response });
  const failure = { code: 'server_error', message: 'The server had an error. Sorry about that!' };
  const error = {
    type: 'error',
    sequence_number: sequence,
    error: { type: 'server_error', ...failure, param: null },
  };
  return { frames, error: `event: error\ndata: ${JSON.stringify(error)}\n\n` };
}

type Event = [type: string, fields: JsonObject];

function itemEvents(item: JsonObject, output_index: number): Event[] {
  const place = { item_id: String(item['id']), output_index };
  const begun: JsonObject = { ...item, status: 'in_progress' };
  if (item['type'] === 'message') begun['content'] = [];
  if (item['type'] === 'function_call') begun['arguments'] = '';
  if (item['type'] === 'reasoning') {
    begun['summary'] = [];
    delete begun['status'];
  }
  return [
    ['response.output_item.added', { output_index, item: begun }],
    ...contentEvents(item, place),
    ['response.output_item.done', { output_index, item }],
  ];
}

function contentEvents(item: JsonObject, place: JsonObject): Event[] {
  if (item['type'] === 'function_call') {
    const json = String(item['arguments']);
    return [
      ...slicesOf(json, 7).map(
        (delta): Event => ['response.function_call_arguments.delta', { ...place, delta }],
      ),
      ['response.function_call_arguments.done', { ...place, name: item['name'] ?? '', arguments: json }],
    ];
  }
  const [part] = (item['summary'] ?? item['content']) as JsonObject[];
  if (!part) return [];
  const isReasoning = item['type'] === 'reasoning';
  const at: JsonObject = { ...place, [isReasoning ? 'summary_index' : 'content_index']: 0 };
  const field = part['type'] === 'refusal' ? 'refusal' : 'text';
  const kind = isReasoning ? 'reasoning_summary_text' : String(part['type']);
  const around = isReasoning ? 'reasoning_summary_part' : 'content_part';
  const said = String(part[field]);
  const logprobs: Record<string, JsonValue> = kind === 'output_text' ? { logprobs: [] } : {};
  return [
    [`response.${around}.added`, { ...at, part: { ...part, [field]: '' } }],
    ...piecesOf(said).map((delta): Event => [`response.${kind}.delta`, { ...at, delta, ...logprobs }]),
    [`response.${kind}.done`, { ...at, [field]: said, ...logprobs }],
    [`response.${around}.done`, { ...at, part }],
  ];
}
