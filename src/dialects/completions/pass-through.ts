import { passThrough as ofChat } from '../chat/pass-through.ts';
import type { PassThrough } from '../pass-through.ts';
import { type FieldSpan, type FieldSpans, parseField } from '../request-fields.ts';
import { WordTable } from '../word-table.ts';
import { CompletionsStreamScanner } from './stream-scanner.ts';

/** Text completions between a client and a provider that has them itself. Source: OpenAI API reference (create completion). */
export const passThrough: PassThrough = {
  ...ofChat,
  fields: new WordTable([...ofChat.fields.words, 'prompt', 'prompt_embeds']),
  mendAnswer: (body) => body,
  leavesIds: () => false,
  countPrompts,
  countAsked: (body, spans) => countPrompts(body, spans) * countEach(body, spans['n']),
  streamScanner: (options) => new CompletionsStreamScanner(options),
};

/** vLLM's server takes embedded prompts beside those that are said. */
function countPrompts(body: Buffer, { prompt, prompt_embeds: embedded }: FieldSpans): number {
  return Math.max(1, countIn(body, prompt, 'prompt') + countIn(body, embedded, 'prompt_embeds'));
}

function countIn(body: Buffer, span: FieldSpan | undefined, name: string): number {
  if (!span) return 0;
  if (body[span.start] !== OPEN_BRACKET) return 1;
  const prompts = parseField(body, span, name);
  // A list of numbers is one prompt, of token ids.
  if (!Array.isArray(prompts) || typeof prompts[0] === 'number') return 1;
  return prompts.length;
}

const OPEN_BRACKET = 0x5b;

function countEach(body: Buffer, span: FieldSpan | undefined): number {
  const n = span ? parseField(body, span, 'n') : undefined;
  return typeof n === 'number' && n >= 1 ? n : 1;
}
