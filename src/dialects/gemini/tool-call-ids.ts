import { createHash } from 'node:crypto';

/*
 * Gemini gives ids to tool calls only since Gemini 3, and not always. Where one is missing we make it, so that
 * every other dialect, which cannot do without, has one: from what the answer says (codecs have no randomness), in
 * a form that is recognised when it comes back, because a model must not be sent an id that it never gave.
 *
 * 40 characters at most: OpenAI's limit for an id in a conversation that moves there.
 */
const FORM = /^call_gemini_[0-9a-f]{16}_\d{1,11}$/;

/** `seed`: what tells the answers apart, best a response id. `ordinal`: the call's place among the calls of its seed. */
export function makeToolCallId(seed: string, ordinal: number): string {
  const digest = createHash('sha256').update(seed).digest('hex').slice(0, 16);
  return `call_gemini_${digest}_${ordinal}`;
}

/** Whether Gemini itself gave this id (or another provider did, in the history of a conversation that moved here). */
export function isGivenToolCallId(id: string): boolean {
  return id !== '' && !FORM.test(id);
}
