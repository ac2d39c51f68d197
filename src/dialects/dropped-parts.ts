import type { Part } from '../conversation/conversation.ts';
import { isObject } from '../conversation/json.ts';

/** Of a type that a provider makes up. */
const MAX_NAME_CHARS = 100;

/** More names than any answer has kinds of parts: what a provider makes up must not grow without bound. */
const MAX_NAMES = 100;

/** Notes what an answer says and the client's dialect has no word for: once for each kind of it. */
export function dropPart(dropped: string[], part: Part): void {
  dropFromAnswer(dropped, kindOf(part));
}

/** @param what in the client's own words where it has some */
export function dropFromAnswer(dropped: string[], what: string): void {
  const name = `answer.${what.slice(0, MAX_NAME_CHARS)}`;
  if (dropped.length < MAX_NAMES && !dropped.includes(name)) dropped.push(name);
}

/** A part without a neutral form goes by the provider's own word: its type, or the key that it stands under (Gemini, Bedrock). */
function kindOf(part: Part): string {
  if (part.type !== 'opaque') return part.type;
  const { type } = part.value;
  if (typeof type === 'string') return type;
  const [key] = Object.entries(part.value).find(([, value]) => isObject(value)) ?? ['part'];
  return key;
}
