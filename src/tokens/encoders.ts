import { createRequire } from 'node:module';
import type { Tiktoken } from 'tiktoken/lite';
import { cutLongRuns } from './cut-text.ts';
import type { Encoding } from './families.ts';

/** `require`, because it reads the ranks (megabytes of JSON) only when they are asked for, and at once. */
const load = createRequire(import.meta.url);

/** One encoder an encoding, made at its first use (a third of a second and some 50 MB) and kept: freed with its thread. */
const encoders = new Map<Encoding, Tiktoken>();

function encoderOf(encoding: Encoding): Tiktoken {
  let encoder = encoders.get(encoding);
  if (!encoder) {
    const { Tiktoken } = load('tiktoken/lite') as typeof import('tiktoken/lite');
    const { bpe_ranks, special_tokens, pat_str } = load(`tiktoken/encoders/${encoding}.json`) as Ranks;
    encoder = new Tiktoken(bpe_ranks, special_tokens, pat_str);
    encoders.set(encoding, encoder);
  }
  return encoder;
}

/** What `tiktoken` ships an encoding as. */
interface Ranks {
  bpe_ranks: string;
  special_tokens: Record<string, number>;
  pat_str: string;
}

/**
 * Tokens of a text, in time linear in its length. Text that looks like a special token (`<|endoftext|>`) is text: that
 * is how providers read what callers send. Holds the thread for about 0.3 ms a kilobyte: see `TokenCounter`.
 */
export function countText(encoding: Encoding, text: string): number {
  const encoder = encoderOf(encoding);
  let tokens = 0;
  for (const piece of cutLongRuns(text)) tokens += encoder.encode_ordinary(piece).length;
  return tokens;
}
