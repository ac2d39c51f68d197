/* Rows of the tables of rollouts, and of what they learn from. */

/** Where a rollout stands (`rollouts/rollout-store.ts`). */
export interface RolloutRow {
  name: string;
  /** What it was begun with, as JSON: where the configuration says otherwise by now, it is another rollout. */
  release: string;
  phase: string;
  step: number;
  /** Unix milliseconds. */
  since: number;
  held_ms: number;
  calls_before: number;
  /** What is known of its candidate, as JSON: some 20 KB. */
  evidence: string;
  /** Of them, how many calls it has had. */
  candidate_calls: number;
  /** Why it stands there, as JSON. */
  reason: string | null;
  /** What it was when it began, as JSON; null where it never did. */
  origin: string | null;
  /** What it waits for somebody to agree to, as JSON. */
  approval: string | null;
  /** Grows with every change. */
  version: number;
}

/** A release of a model. Nothing of it is ever changed. */
export interface ReleaseRow {
  model: string;
  /** From 1, of each model. */
  number: number;
  /** SHA-256 of what it is, in hex. */
  hash: string;
  /** What it is, as JSON. */
  release: string;
  /** Unix milliseconds. */
  first_seen: number;
  /** The revision that was in force then. */
  revision: number;
}

/** A call that its rollout has not learned from yet. */
export interface RolloutCallRow {
  rollout: string;
  started_at: number;
  call: string;
}

/** A call of a rollout that somebody scored. It stays when it is learned from, so that it is so once. */
export interface RolloutScoreRow extends RolloutCallRow {
  /** 0 or 1. */
  learned: number;
}

/** What was said of the answer to a call (`usage/feedback.ts`). */
export interface FeedbackRow {
  call: string;
  name: string;
  /** The name of the key that said it. */
  key: string;
  /** From 0 to 1. */
  score: number;
  comment: string | null;
  /** Unix milliseconds. */
  created_at: number;
  updated_at: number;
}
