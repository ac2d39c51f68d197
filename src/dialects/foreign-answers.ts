import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import type { DialectName, Extra } from '../conversation/conversation.ts';
import { isObject, type JsonValue } from '../conversation/json.ts';
import { dropFromAnswer } from './dropped-parts.ts';

/**
 * Fields of answers that are not named where they are left out: they repeat the request, are said in neutral words too
 * (citations, usage, how it ended), or tell of the service and not of the answer. Whatever is not listed is named.
 *
 * Sources: the API references; recorded traffic; vLLM, LM Studio, SGLang and llama.cpp, "OpenAI-compatible server".
 */
const SAY_NOTHING: Record<DialectName, ReadonlySet<string>> = {
  chat: new Set([
    ...['system_fingerprint', 'service_tier', 'usage', 'usage_breakdown', 'provider', 'request_id', 'x_groq'],
    ...['time_info', 'timings', 'perf_metrics', 'stats', 'model_info', 'runtime', 'metadata', 'prompt'],
    ...['prompt_filter_results', 'content_filter_results', 'content_filter_offsets'],
    ...['native_finish_reason', 'stop_reason', 'matched_stop', 'seed', 'index', 'channel', 'type'],
    ...['citations', 'search_results', 'reasoning_details'],
  ]),
  responses: new Set([
    ...['background', 'billing', 'completed_at', 'content_filters', 'error', 'frequency_penalty'],
    ...[
      'incomplete_details',
      'instructions',
      'max_output_tokens',
      'max_tool_calls',
      'metadata',
      'output_text',
    ],
    ...['parallel_tool_calls', 'presence_penalty', 'previous_response_id', 'prompt', 'prompt_cache_key'],
    ...['prompt_cache_retention', 'reasoning', 'safety_identifier', 'service_tier', 'store', 'temperature'],
    ...['text', 'tool_choice', 'tool_usage', 'tools', 'top_logprobs', 'top_p', 'total_tokens', 'truncation'],
    ...['usage', 'user', 'item', 'summary', 'content'],
  ]),
  messages: new Set(['usage', 'citations', 'caller', 'stop_details']),
  gemini: new Set([
    ...['createTime', 'usageMetadata', 'promptFeedback', 'avgLogprobs', 'finishMessage', 'finishReason'],
    ...['safetyRatings', 'tokenCount', 'citationMetadata', 'thought', 'thoughtSignature'],
  ]),
  // The response fields are those that we ask for ourselves: which stop sequence was met.
  converse: new Set([
    'metrics',
    'performanceConfig',
    'serviceTier',
    'citations',
    'additionalModelResponseFields',
  ]),
};

/** The client's dialect; `undefined`: one that writes no such field of any. */
type ClientDialect = DialectName | undefined;

/** Names what of an answer only its provider's dialect can say. */
export function nameForeignFields(dropped: string[], completion: Completion, dialect: ClientDialect): void {
  nameFields(dropped, completion.extra, dialect);
  for (const { parts, extra } of completion.choices) {
    for (const part of parts) if (part.type !== 'opaque') nameFields(dropped, part.extra, dialect);
    nameFields(dropped, extra, dialect);
  }
}

/** The same for one event of a stream. */
export function nameForeignEvent(dropped: string[], event: CompletionEvent, dialect: ClientDialect): void {
  switch (event.type) {
    case 'start':
    case 'part_end':
    case 'finish':
    case 'end':
      nameFields(dropped, event.extra, dialect);
      break;
    case 'part_start':
      if (event.value.type !== 'opaque') nameFields(dropped, event.value.extra, dialect);
      break;
    default:
      break;
  }
}

function nameFields(dropped: string[], extra: Extra | undefined, dialect: ClientDialect): void {
  if (!extra || extra.dialect === dialect) return;
  for (const [key, value] of Object.entries(extra.fields)) {
    // What a chat answer's message says stands beside what its choice does.
    if (key === 'message' && extra.dialect === 'chat' && isObject(value)) {
      nameFields(dropped, { dialect: 'chat', fields: value }, dialect);
    } else if (saysSomething(value) && !SAY_NOTHING[extra.dialect].has(key)) dropFromAnswer(dropped, key);
  }
}

function saysSomething(value: JsonValue | undefined): boolean {
  if (value === null || value === undefined || value === '' || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
