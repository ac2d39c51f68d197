/**
 * What stands in for a user's turn where an API wants one and the caller sent none: before a conversation that begins
 * with the assistant's words or holds system messages only (OpenAI answers both), and behind one that ends with the
 * assistant's words where the model cannot go on from them. A conversation in which nobody says anything is refused instead.
 * docs/errors.md tells of it.
 */
export const OPENING_WORDS = 'Begin.';
export const CLOSING_WORDS = 'Continue.';
export const BETWEEN_WORDS = 'OK.';
