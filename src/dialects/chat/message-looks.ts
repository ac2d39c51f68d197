import { beginsList, hasValue, type ValueTest } from '../json-bytes.ts';
import { readKey, skipValue, walkFields } from '../request-fields.ts';
import { isInlineImage } from './encode-content.ts';

/*
 * Cheap looks at the text of `messages`: whether a rule may concern it. They need not be right where they say yes: then it is parsed.
 * Inside of a string quotes are escaped, so that a word with its quotes is a key, or a value of its own.
 */

export type Look = (messages: Buffer) => boolean;

export function hasWord(words: readonly string[]): Look {
  const needles = words.map((word) => Buffer.from(JSON.stringify(word)));
  return (messages) => needles.some((needle) => messages.includes(needle));
}

const IMAGE_KEY = Buffer.from('"image_url"');
const CONTENT_KEY = Buffer.from('"content"');
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
/** Longer than what an inline image begins with. */
const BEGINNING = 40;

/** Whether an image may stand there by its address, or be of another kind than those that are read inline. */
export const hasOtherImage: Look = (messages) => hasValue(messages, IMAGE_KEY, isOther);

const isOther: ValueTest = (body, at) => {
  if (body[at] === QUOTE) return !isInlineImage(body.toString('latin1', at + 1, at + 1 + BEGINNING));
  return body[at] === OPEN_BRACE && hasOtherUrl(body.subarray(at, skipValue(body, at)));
};

function hasOtherUrl(image: Buffer): boolean {
  let isFound = false;
  walkFields(image, (quote, keyEnd, start) => {
    if (readKey(image, quote, keyEnd) === 'url' && image[start] === QUOTE && isOther(image, start))
      isFound = true;
    return skipValue(image, start);
  });
  return isFound;
}

/** Whether a content may be a list of texts alone: what has an image among them is not. */
export const hasTextList: Look = (messages) =>
  hasValue(
    messages,
    CONTENT_KEY,
    (body, at) => beginsList(body, at) && !body.subarray(at, skipValue(body, at)).includes(IMAGE_KEY),
  );

const ROLE_KEY = Buffer.from('"role"');
const ASSISTANT = /^\s*:\s*"assistant"/;

/** Whether the last role is the assistant's. A word `role` that is a value has no colon behind it. */
export const endsWithAssistant: Look = (messages) => {
  for (
    let at = messages.lastIndexOf(ROLE_KEY);
    at !== -1;
    at = at > 0 ? messages.lastIndexOf(ROLE_KEY, at - 1) : -1
  ) {
    const rest = messages.toString('latin1', at + ROLE_KEY.length, at + ROLE_KEY.length + 32);
    if (/^\s*:/.test(rest)) return ASSISTANT.test(rest);
  }
  return false;
};
