/* Rows of the tables of prompts. */

/** What a prompt was at some time. Its text never changes; its state does. */
export interface PromptVersionRow {
  name: string;
  /** From 1, of each prompt. */
  number: number;
  /** SHA-256 of its sources, in hex. */
  hash: string;
  /** What it is made from (`prompts/versions.ts`), as JSON. */
  sources: string;
  state: string;
  /** Unix milliseconds: since when it is in its state. */
  state_at: number;
  /** Unix milliseconds: when it ends, or has ended. */
  retires_at: number | null;
  /** What to call in its place: `NAME` or `NAME@VERSION`. */
  successor: string | null;
  /** Unix milliseconds. */
  created_at: number;
  author: string;
  /** The last change that touched the row. */
  change: number;
}

/** A name for a version of a prompt, that can be moved to another. */
export interface PromptLabelRow {
  name: string;
  label: string;
  number: number;
  /** Unix milliseconds. */
  moved_at: number;
  author: string;
  change: number;
}

/** One row: how many changes of prompts there were. Each change takes it first, so they are made one after another. */
export interface PromptChangesRow {
  id: number;
  change: number;
}
