import type { GatewayError } from '../conversation/gateway-error.ts';

/** Refusals for which a model may name targets of their own: they are about this call, and another model may take it. */
export type DivertedRefusal = 'contextLength' | 'contentPolicy';

/**
 * How providers say that an input is too long. OpenAI: code `context_length_exceeded`, "maximum context length", for Responses "exceeds the
 * context window"; Anthropic: "prompt is too long", "input length and `max_tokens` exceed context limit"; Gemini: "The input token count
 * (…) exceeds the maximum number of tokens allowed"; Mistral: "too large for model with … maximum context length"; Bedrock: "Input is too
 * long for requested model"; vLLM and llama.cpp: "maximum context length", "exceeds the available context size".
 */
const CONTEXT_LENGTH =
  /maximum context length|context (?:window|limit|size)|prompt is too long|input is too long|input token count|too many (?:input )?tokens/i;

/**
 * How providers say that their content policy refuses a call. OpenAI: codes `content_policy_violation`, `invalid_prompt`, `moderation_blocked`;
 * Azure: code `content_filter`, inner `ResponsibleAIPolicyViolation`; Alibaba: `data_inspection_failed`; Anthropic: "Output blocked by
 * content filtering policy"; Gemini (Imagen): "violated … policies"; Bedrock: "blocked by our content filters".
 */
const CONTENT_CODES: ReadonlySet<string | undefined> = new Set([
  'content_filter',
  'content_policy_violation',
  'data_inspection_failed',
  'invalid_prompt',
  'moderation_blocked',
  'ResponsibleAIPolicyViolation',
]);
const CONTENT_POLICY =
  /content (?:filter|management|policy)|usage (?:policy|policies|guidelines)|safety system/i;

/** What a refusal is about, where it is one that another target may not have. */
export function divertedRefusal({ kind, code, message }: GatewayError): DivertedRefusal | undefined {
  if (kind !== 'upstream_rejected') return undefined;
  if (code === 'context_length_exceeded' || CONTEXT_LENGTH.test(message)) return 'contextLength';
  if (CONTENT_CODES.has(code) || CONTENT_POLICY.test(message)) return 'contentPolicy';
  return undefined;
}
