import type { GatewayError } from '../conversation/gateway-error.ts';

/** OpenAI's code for an input that is too long: programs shorten what they have and ask again. */
export const CONTEXT_LENGTH_CODE = 'context_length_exceeded';

/**
 * How providers say that an input is too long. OpenAI: code `context_length_exceeded`, "maximum context length", for Responses "exceeds the
 * context window"; Anthropic: "prompt is too long", "input length and `max_tokens` exceed context limit"; Gemini: "The input token count
 * (…) exceeds the maximum number of tokens allowed"; Mistral: "too large for model with … maximum context length"; Bedrock: "Input is too
 * long for requested model"; vLLM and llama.cpp: "maximum context length", "exceeds the available context size".
 */
const CONTEXT_LENGTH =
  /maximum context length|context (?:window|limit|size)|prompt is too long|input is too long|input token count|too many (?:input )?tokens/i;

/** Whether a provider refused a call because its input is too long for the model. */
export function saysContextLength({ kind, code, message }: GatewayError): boolean {
  return kind === 'upstream_rejected' && (code === CONTEXT_LENGTH_CODE || CONTEXT_LENGTH.test(message));
}
