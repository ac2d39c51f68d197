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

/** What a refusal is about, where it is one that another target may not have. */
export function divertedRefusal(error: GatewayError): DivertedRefusal | undefined {
  const { kind, code, message } = error;
  if (kind !== 'upstream_rejected') return undefined;
  if (saysContextLength(error)) return 'contextLength';
  if (CONTENT_CODES.has(code) || CONTENT_POLICY.test(message)) return 'contentPolicy';
  return undefined;
}
