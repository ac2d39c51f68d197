import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { BETWEEN_WORDS } from '../filler-words.ts';
import type { NoteDropped } from './field-rules.ts';
import type { MessageQuirks } from './quirks.ts';

/** Mistral's models by their names at other servers, which check them as Mistral does. */
const MISTRALS = /mistral|mixtral|ministral|magistral|devstral|codestral|pixtral|voxtral/i;

export function hasStrictTurns(of: MessageQuirks['strictTurns'], model: string): boolean {
  return of === 'every_model' || (of === 'mistrals' && MISTRALS.test(model));
}

/** Behind these nobody may instruct: instructions stand before the turn, or behind the user's words. */
const SHUTS_INSTRUCTIONS_OUT: ReadonlySet<JsonValue | undefined> = new Set<JsonValue | undefined>([
  'assistant',
  'tool',
]);

/**
 * The messages for a server on which the assistant alone may speak behind results of tools, and instructions may not stand
 * behind its turns. What the user says there follows a word of the assistant's, which costs it nothing of its place or role;
 * instructions are said by the user at the same place, rather than earlier, where they would change what was said after them.
 *
 * Source: mistral-common, `MistralRequestValidator` (which role may follow which).
 */
export function inStrictTurns(messages: readonly JsonValue[], drop: NoteDropped): JsonValue[] {
  const written: JsonValue[] = [];
  let before: JsonValue | undefined;
  for (const message of messages) {
    const fitted = isObject(message) ? fitRole(message, before, drop) : message;
    const role = isObject(fitted) ? fitted['role'] : undefined;
    if (before === 'tool' && role === 'user') written.push({ role: 'assistant', content: BETWEEN_WORDS });
    written.push(fitted);
    before = role;
  }
  return written;
}

function fitRole(message: JsonObject, before: JsonValue | undefined, drop: NoteDropped): JsonObject {
  const { role } = message;
  const instructs = role === 'system' || role === 'developer';
  if (!instructs || !SHUTS_INSTRUCTIONS_OUT.has(before)) return message;
  drop('messages[].role', 'user');
  return { ...message, role: 'user' };
}

const TOOL = Buffer.from('"tool"');
const ASSISTANT = Buffer.from('"assistant"');
const INSTRUCTORS = [Buffer.from('"system"'), Buffer.from('"developer"')];

/** A cheap look at the text of `messages`: whether `inStrictTurns` can change them. */
export function mayLeaveTurns(messages: Buffer): boolean {
  if (messages.includes(TOOL)) return true;
  const assistant = messages.indexOf(ASSISTANT);
  return assistant !== -1 && INSTRUCTORS.some((word) => messages.includes(word, assistant));
}
