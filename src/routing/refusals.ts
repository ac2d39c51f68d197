import type { GatewayError } from '../conversation/gateway-error.ts';
import { saysContextLength } from '../dialects/context-length.ts';

/** Refusals for which a model may name targets of their own: they are about this call, and another model may take it. */
export type DivertedRefusal = 'contextLength' | 'contentPolicy';

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

/**
 * How providers say that the reasoning in a request is not theirs, or not what they gave. Anthropic (the same in Amazon's and Google's
 * words): "Invalid `signature` in `thinking` block", "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be
 * modified", "thinking.signature: Field required", "Expected `thinking` or `redacted_thinking`, but found `tool_use`", "The block is bound
 * to a different conversation"; OpenAI: code `invalid_encrypted_content`, "Reasoning input items can only be provided to a reasoning or computer use
 * model", and in chat "Unknown parameter: 'messages[1].reasoning_content'"; Groq and Cerebras: "property 'reasoning' is unsupported",
 * "messages[1].reasoning: reasoning is not supported with this model"; Gemini: "Corrupted thought signature.", "Function call is missing a
 * thought_signature".
 */
const REASONING =
  /\b(?:redacted_)?thinking`? blocks?\b|\bthinking\.signature\b|expected `thinking`|\bblock is bound to a different\b|\bthought[ _]?signature\b|\bencrypted content\b|\breasoning_(?:content|details)\b|\breasoning input items\b|\breasoning'? is (?:un|not )supported\b/i;

/**
 * How they say that there is too little of it, to which no less is an answer. DeepSeek: "The `reasoning_content` in the thinking mode must be
 * passed back to the API.", and of `content[].thinking` alike; Moonshot: "thinking is enabled but reasoning_content is missing in assistant tool call message".
 */
const REASONING_DEMANDED =
  /\bmust be (?:passed|sent|given) back\b|\breasoning_(?:content|details)`? is (?:missing|required)\b/i;

/** Whether a provider refuses a call for reasoning of its history: another provider's, another model's, another account's. */
export function saysForeignReasoning({ kind, code, message }: GatewayError): boolean {
  if (kind !== 'upstream_rejected') return false;
  return (
    code === 'invalid_encrypted_content' || (REASONING.test(message) && !REASONING_DEMANDED.test(message))
  );
}

/** What a refusal is about, where it is one that another target may not have. */
export function divertedRefusal(error: GatewayError): DivertedRefusal | undefined {
  const { kind, code, message } = error;
  if (kind !== 'upstream_rejected') return undefined;
  if (saysContextLength(error)) return 'contextLength';
  if (CONTENT_CODES.has(code) || CONTENT_POLICY.test(message)) return 'contentPolicy';
  return undefined;
}
