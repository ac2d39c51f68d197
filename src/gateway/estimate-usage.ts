import type { Completion } from '../conversation/completion.ts';
import type { Part } from '../conversation/conversation.ts';
import { NO_USAGE, outputTokens, type Usage } from '../conversation/usage.ts';
import { CHARACTERS_PER_TOKEN } from './estimate-tokens.ts';

/** Media travel as base64, of which four bytes are far less than a token: a large body says little about tokens. */
export const MAX_ESTIMATED_INPUT = 100_000;

/** Hardly any token has more letters. */
const LONGEST_TOKEN = 16;

/** About how many tokens a piece of a streamed text is: most providers send one an event, others send whole phrases. */
export function estimatePiece(piece: string): number {
  return piece.length > LONGEST_TOKEN ? Math.ceil(piece.length / CHARACTERS_PER_TOKEN) : 1;
}

/**
 * What a call used when the provider does not say (the client left, the stream broke off): an estimate, and marked as
 * one. `output`: tokens, or the events of a stream of which nobody reads the texts.
 */
export function estimateUsage(requestBytes: number, output: number): Usage {
  return {
    ...NO_USAGE,
    input: estimateInput(requestBytes),
    output,
    estimated: true,
  };
}

/** The same of a whole answer. */
export function estimateAnswer(requestBytes: number, { choices }: Completion): Usage {
  let letters = 0;
  for (const { parts } of choices) for (const part of parts) letters += lettersOf(part);
  return estimateUsage(requestBytes, Math.ceil(letters / CHARACTERS_PER_TOKEN));
}

function lettersOf(part: Part): number {
  if (part.type === 'tool_call') return part.name.length + part.arguments.length;
  return 'text' in part ? part.text.length : 0;
}

export function estimateInput(requestBytes: number): number {
  return Math.min(Math.ceil(requestBytes / CHARACTERS_PER_TOKEN), MAX_ESTIMATED_INPUT);
}

/**
 * What a provider had reported of a stream that then broke off, with what came after: Anthropic says the input at
 * the beginning, and all but one token of the output only at the end.
 */
export function completeUsage(reported: Usage, output: number): Usage {
  const missing = output - outputTokens(reported);
  return missing > 0 ? { ...reported, output: reported.output + missing, estimated: true } : reported;
}
