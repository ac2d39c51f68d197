import type { GatewayError } from '../conversation/gateway-error.ts';

/** OpenAI's code for an input that is too long: programs shorten what they have and ask again. */
export const CONTEXT_LENGTH_CODE = 'context_length_exceeded';

/**
 * How providers say that an input is too long. OpenAI: code `context_length_exceeded`, "maximum context length", for Responses "exceeds the
 * context window"; Anthropic: "prompt is too long", "input length and `max_tokens` exceed context limit"; Gemini: "The input token count
 * (…) exceeds the maximum number of tokens allowed"; Mistral: "too large for model with … maximum context length"; Bedrock: "Input is too
 * long for requested model"; vLLM and llama.cpp: "maximum context length", "exceeds the available context size"; xAI: "maximum prompt
 * length" (cline/cline#3120); Moonshot: "exceeded model token limit" (MoonshotAI/kimi-cli#2011); Together: "longer than the model's context
 * length"; Ollama: "exceeded max context length"; LM Studio: "greater than the context length", "context length of only"; Alibaba: "Range of
 * input length"; Z.AI: code 1261; TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096", "`inputs` must have less than 4096 tokens"
 * (huggingface/text-generation-inference#628, #695); GitHub Models, with 413: "Request body too large for gpt-4o model. Max size: 8000 tokens"
 * (cline/cline#2115).
 */
const CONTEXT_LENGTH =
  /maximum (?:context|prompt) length|(?:the|model's|max) context length|context length of only|context (?:window|limit|size)|prompt is too long|prompt too long|input is too long|range of input length|model token limit|input token count|too many (?:input )?tokens|`inputs` (?:tokens \+ `max_new_tokens` must be <=|must have less than \d+ tokens)|too large for .{1,80} model\. max size: \d+ tokens/i;

const CONTEXT_LENGTH_CODES: readonly unknown[] = [CONTEXT_LENGTH_CODE, '1261', 'tokens_limit_reached'];

/** The answer that is asked for is what does not fit: nobody helps it by shortening the prompt (vLLM). */
const OUTPUT_TOO_LARGE = /^'?max_(?:completion_|output_)?tokens'?.{0,80} is too large/i;

/** Whether a provider refused a call because its input is too long for the model. */
export function saysContextLength({ kind, code, message }: GatewayError): boolean {
  if (kind !== 'upstream_rejected' || OUTPUT_TOO_LARGE.test(message)) return false;
  return CONTEXT_LENGTH_CODES.includes(code) || CONTEXT_LENGTH.test(message);
}
