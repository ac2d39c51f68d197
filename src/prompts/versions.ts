import type { PromptSource } from './compile-prompt.ts';

/** What a version is made from. */
export type PromptSources = Pick<PromptSource, 'source' | 'partials'>;

export type PromptState = 'draft' | 'published' | 'deprecated' | 'retired';

/** What a prompt was at some time, as the store has it: its sources never change, its state does. */
export interface PromptVersion {
  name: string;
  /** From 1. */
  number: number;
  /** SHA-256 of its sources, in hex. */
  hash: string;
  sources: PromptSources;
  /** As it was written: by the clock it may be retired since (`stateOf`). */
  state: PromptState;
  /** Unix milliseconds. */
  stateAt: number;
  /** Unix milliseconds: when it ends, or has ended. */
  retiresAt: number | undefined;
  /** What to call in its place: `NAME` or `NAME@VERSION`. */
  successor: string | undefined;
  /** Unix milliseconds. */
  createdAt: number;
  author: string;
}

/** A name that points at a version. */
export interface PromptLabel {
  name: string;
  label: string;
  /** `NOWHERE` of one that was taken away, as the store has it: all instances are to learn of that. */
  number: number;
  /** Unix milliseconds. */
  movedAt: number;
  author: string;
}

/** All that is known of a prompt. */
export interface PromptRecord {
  name: string;
  /** By their numbers. */
  versions: readonly PromptVersion[];
  /** Those that point somewhere. */
  labels: ReadonlyMap<string, PromptLabel>;
}

/** What a label points at that was taken away: there is no such version. */
export const NOWHERE = 0;

/** What a name alone means. */
export const PRODUCTION = 'production';
/** What the file says last, where it is not published by itself. */
export const DRAFT = 'draft';

/** The authors of what nobody published by hand. */
export const FILE = 'file';
export const EXAMPLES = 'examples';

const NUMBER = /^[1-9]\d{0,8}$/;
const HASH = /^[0-9a-f]{8,64}$/;
const LABEL = /^[a-z][a-z0-9_-]{0,63}$/;

/** Whether a label may be called so: it is never taken for a number or a hash. */
export function isLabel(text: string): boolean {
  return LABEL.test(text) && !HASH.test(text) && text !== DRAFT;
}

/** `support/triage@3` taken apart; what is behind the `@` is a number, a label, or the beginning of a hash. */
export function readReference(text: string): { name: string; version: string | undefined } {
  const at = text.lastIndexOf('@');
  return at < 0
    ? { name: text, version: undefined }
    : { name: text.slice(0, at), version: text.slice(at + 1) };
}

/** The version that is meant, by its number, a label, or at least 8 digits of its hash. */
export function findVersion({ versions, labels }: PromptRecord, text: string): PromptVersion | undefined {
  const number = NUMBER.test(text) ? Number(text) : labels.get(text)?.number;
  const found = number === undefined ? undefined : versions.find((version) => version.number === number);
  if (found || !HASH.test(text)) return found;
  const [first, ...others] = versions.filter(({ hash }) => hash.startsWith(text));
  return others.length === 0 ? first : undefined;
}

export function stateOf({ state, retiresAt }: PromptVersion, nowMs: number): PromptState {
  return state === 'deprecated' && retiresAt !== undefined && nowMs >= retiresAt ? 'retired' : state;
}

/** What to call in the place of a version that ends: where nobody said it, the prompt's name, as far as that means another. */
export function successorOf(
  record: PromptRecord,
  { name, number, successor }: PromptVersion,
  nowMs: number,
): string | undefined {
  if (successor !== undefined) return successor;
  const production = findVersion(record, PRODUCTION);
  const isOther = production && production.number !== number && stateOf(production, nowMs) !== 'retired';
  return isOther ? name : undefined;
}
