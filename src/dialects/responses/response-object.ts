import type { Extra } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { ownFields } from './extra.ts';
import { responseId } from './ids.ts';

/** What is known of a response when it begins. */
export interface ResponseHead {
  id: string;
  model: string;
  created?: number | undefined;
  extra?: Extra | undefined;
}

/** Fields of a request that its response repeats, with what OpenAI says where the request said nothing. */
const REPEATED: JsonObject = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  parallel_tool_calls: true,
  previous_response_id: null,
  prompt_cache_key: null,
  safety_identifier: null,
  service_tier: 'default',
  store: true,
  temperature: 1,
  tool_choice: 'auto',
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
  metadata: {},
};

/**
 * The response object without its `output` and what is known only at the end. `request` is the body that the client
 * sent; what a provider of this dialect said of it counts more.
 *
 * Source: OpenAI API reference (response object); the order of recorded answers.
 */
export function responseObject(
  { id, model, created = 0, extra }: ResponseHead,
  request: JsonObject,
): JsonObject {
  const own = extra?.dialect === 'responses';
  return {
    id: own ? id : responseId(id),
    object: 'response',
    created_at: created,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    model,
    output: [],
    ...repeatedFields(request),
    ...ownFields(extra),
    usage: null,
  };
}

function repeatedFields(request: JsonObject): JsonObject {
  const fields = Object.entries(REPEATED).map(([key, usual]) => [key, request[key] ?? usual] as const);
  const { reasoning, text } = request;
  return {
    ...Object.fromEntries(fields),
    reasoning: { effort: null, summary: null, ...(isObject(reasoning) ? reasoning : {}) },
    text: { format: { type: 'text' }, verbosity: 'medium', ...(isObject(text) ? text : {}) },
  };
}
