/**
 * Tokens of one call in disjoint buckets: no token is counted in two of them, and every sum is derived.
 * A provider that reports sums (OpenAI counts cached tokens inside `prompt_tokens`) is taken apart by its codec.
 */
export interface Usage {
  /** Input that was neither cached nor audio. */
  input: number;
  inputAudio: number;
  cacheRead: number;
  /** Written to the cache, all lifetimes but the one hour. */
  cacheWrite: number;
  /** Written to the cache for one hour (Anthropic `ephemeral_1h`), which costs more. */
  cacheWrite1h: number;
  /** Output that was neither reasoning nor audio. */
  output: number;
  outputAudio: number;
  reasoning: number;
  /** Counted by us because the provider did not say. */
  estimated?: boolean;
  /** How it was served, where that costs otherwise than the standard way: `priority`, `flex`, `fast`, `us`, several as `fast+us`. */
  tier?: string;
  /** The model that used it, in its provider's words, where that is another than the one that was called. */
  model?: string;
  /** What other models used for the same call, none of which is counted above. It is paid at their own prices. */
  beside?: readonly OtherUsage[];
  /** What the provider says that all of it cost. */
  saidMicroUsd?: number;
}

/** What a model beside the one that was called used: an advisor that was asked, images that were drawn. */
export interface OtherUsage extends Usage {
  /** Its tokens are those of images, too, which published prices of tokens are not about. */
  ofImages?: true;
}

export const NO_USAGE: Readonly<Usage> = Object.freeze({
  input: 0,
  inputAudio: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWrite1h: 0,
  output: 0,
  outputAudio: 0,
  reasoning: 0,
});

const BUCKETS = [
  'input',
  'inputAudio',
  'cacheRead',
  'cacheWrite',
  'cacheWrite1h',
  'output',
  'outputAudio',
  'reasoning',
] as const satisfies (keyof Usage)[];

export function inputTokens(usage: Usage): number {
  return usage.input + usage.inputAudio + usage.cacheRead + usage.cacheWrite + usage.cacheWrite1h;
}

export function outputTokens(usage: Usage): number {
  return usage.output + usage.outputAudio + usage.reasoning;
}

/** Whether the tokens alone do not tell what they cost at the target that was called. */
export function isPaidOtherwise({ model, beside, saidMicroUsd }: Usage): boolean {
  return beside !== undefined || model !== undefined || saidMicroUsd !== undefined;
}

/** All the tokens that were used for a call, whoever used them; in the tier of the model that answered. */
export function wholeUsage(usage: Usage): Usage {
  const whole = (usage.beside ?? []).reduce(addUsage, addUsage(NO_USAGE, usage));
  if (usage.tier !== undefined) whole.tier = usage.tier;
  return whole;
}

/** What both used together; an estimate where one of them is. Of a sum there is no one tier. */
export function addUsage(a: Usage, b: Usage): Usage {
  const sum: Usage = {
    input: a.input + b.input,
    inputAudio: a.inputAudio + b.inputAudio,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite: a.cacheWrite + b.cacheWrite,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
    outputAudio: a.outputAudio + b.outputAudio,
    reasoning: a.reasoning + b.reasoning,
  };
  if (a.estimated || b.estimated) sum.estimated = true;
  return sum;
}

/** What is left of a sum without one of its parts. */
export function subtractUsage(sum: Usage, part: Usage): Usage {
  const left = { ...sum };
  for (const bucket of BUCKETS) left[bucket] = Math.max(0, left[bucket] - part[bucket]);
  return left;
}
