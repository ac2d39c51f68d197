import type { CallerDialectName } from './dialect.ts';
import { GOOGLE_HOLDERS, HELD_FIELDS, ofEachDialect } from './held-fields.ts';
import { beginsList, beginsObject, beginsText, hasValue, type ValueTest } from './json-bytes.ts';
import type { FieldSpans } from './request-fields.ts';
import { flagsOf, type SeenWords } from './seen-words.ts';

const KEYS = ofEachDialect(({ fields }) => Object.keys(fields).map(quoted));
/** With those of the objects that are some fields' values, and what says that something is named. */
const TELLING = ofEachDialect(({ fields }) => [
  ...new Set([...Object.keys(fields), 'id', 'url', 'previous_message_id', 'type']),
]);
const ADDRESS_KEYS = ofEachDialect(({ fields }) =>
  Object.keys(fields)
    .filter((key) => fields[key]?.form === 'address')
    .map(quoted),
);

/** What the scan saw tells of nearly all requests that nothing in them is named by its id or its address. */
const ID_FLAGS = {
  chat: flagsOfIds('chat'),
  responses: flagsOfIds('responses'),
  messages: flagsOfIds('messages'),
};
const ADDRESS_FLAGS = {
  chat: flagsOf(ADDRESS_KEYS.chat.map(({ key }) => key)),
  responses: flagsOf(ADDRESS_KEYS.responses.map(({ key }) => key)),
};
const CONTAINER_FLAG = flagsOf(['container']);
const ROUTING_FLAGS = flagsOf(['routingConfig', 'routing_config']);

/** A search for a text that is rarely there, by the byte that is the rarest in it, costs 0.2 µs a kilobyte. */
const INTERPRETER = Buffer.from('_interpreter');
const URI_ENDINGS = [Buffer.from('Uri"'), Buffer.from('_uri"')];
const ITEM_ID = quoted('id').bytes;
const URL = quoted('url').bytes;
const VOICE = quoted('voice').bytes;
const AUDIO = quoted('audio').bytes;
const CONTINUED = quoted('previous_message_id').bytes;
const ESCAPE = Buffer.from('\\u00');

type NamesHeld = (body: Buffer, spans: FieldSpans, words: SeenWords) => boolean;

/** Whether the bytes may hold one of the fields. */
const NAMES_HELD: Record<CallerDialectName, NamesHeld> = {
  chat: (body, { data_sources: sources, kv_transfer_params: computed, audio, voice }, words) =>
    sources !== undefined ||
    computed !== undefined ||
    (audio !== undefined && body.subarray(audio.start, audio.end).includes(VOICE)) ||
    (voice !== undefined && beginsObject(body, voice.start)) ||
    (words.has('audio') && hasValue(body, AUDIO, beginsObject)) ||
    words.hasAnywhere(ID_FLAGS.chat) ||
    namesHeldUrl(body, words, 'chat'),
  responses: (body, { conversation, prompt, input }, words) =>
    conversation !== undefined ||
    prompt !== undefined ||
    words.hasAnywhere(ID_FLAGS.responses) ||
    namesHeldUrl(body, words, 'responses') ||
    (words.hasAnywhere(CONTAINER_FLAG) && body.includes(INTERPRETER)) ||
    (input !== undefined &&
      words.has('id') &&
      beginsList(body, input.start) &&
      hasValue(body, ITEM_ID, beginsText)),
  messages: (body, { container, thread, diagnostics }, words) =>
    container !== undefined ||
    (thread !== undefined && body.subarray(thread.start, thread.end).includes(CONTINUED)) ||
    (diagnostics !== undefined && body.subarray(diagnostics.start, diagnostics.end).includes(CONTINUED)) ||
    words.hasAnywhere(ID_FLAGS.messages) ||
    (words.has('url') && hasValue(body, URL, beginsHeldAddress)),
  gemini: (body, spans, words) =>
    hasHolder(spans) ||
    words.hasAnywhere(ROUTING_FLAGS) ||
    URI_ENDINGS.some((ending) => body.includes(ending)) ||
    hasOneOf(placesOfTools(body, spans), KEYS.gemini),
};

/**
 * Whether a body may name something that a provider holds. Its bytes are searched for that, for nearly all name nothing.
 *
 * @param spans the places of the fields that the dialect's `PassThrough` wants to know
 * @param words what the scan saw that found them
 */
export function mayNameHeld(
  body: Buffer,
  spans: FieldSpans,
  words: SeenWords,
  dialect: CallerDialectName,
): boolean {
  return NAMES_HELD[dialect](body, spans, words) || hasEscapedLetter(body);
}

function hasHolder(spans: FieldSpans): boolean {
  for (const holder of GOOGLE_HOLDERS) if (spans[holder] !== undefined) return true;
  return false;
}

/** Media are sent by their URLs often, and as data within them: bodies that only do that are not worth parsing. */
function namesHeldUrl(body: Buffer, words: SeenWords, dialect: 'chat' | 'responses'): boolean {
  if (!words.hasAnywhere(ADDRESS_FLAGS[dialect])) return false;
  return (
    ADDRESS_KEYS[dialect].some(({ bytes }) => hasValue(body, bytes, beginsHeldAddress)) ||
    hasValue(body, URL, beginsHeldAddress)
  );
}

/** Tools stand at the top of a request, and at that of one within it. */
function placesOfTools(body: Buffer, { tools, ...spans }: FieldSpans): Buffer {
  for (const key of HELD_FIELDS.gemini.requests) if (spans[key]) return body;
  return tools ? body.subarray(tools.start, tools.end) : NOTHING;
}

const NOTHING = Buffer.alloc(0);

function hasOneOf(body: Buffer, keys: readonly { bytes: Buffer }[]): boolean {
  return body.length > 0 && keys.some(({ bytes }) => body.includes(bytes));
}

/** What an address begins with that leads to nothing of an account; with the quote before it. */
const PUBLIC = ['"https:', '"http:', '"data:'];
const LONGEST_PUBLIC = 7;

/** What begins otherwise is looked at in full. */
const beginsHeldAddress: ValueTest = (body, at) => {
  if (!beginsText(body, at)) return false;
  const start = body.toString('latin1', at, at + LONGEST_PUBLIC).toLowerCase();
  return !PUBLIC.some((scheme) => start.startsWith(scheme));
};

/** A key whose spelling hides that something is named by it. */
export function findEscapedKey(body: Buffer, dialect: CallerDialectName): string | undefined {
  const escaped = escapedKeys(body);
  return TELLING[dialect].find((key) => escaped.has(key));
}

/** Nobody escapes letters but those who hide something: other escapes (`\u00e9`, `\u003c`) are common. */
export function hasEscapedLetter(body: Buffer): boolean {
  for (let at = body.indexOf(ESCAPE); at !== -1; at = body.indexOf(ESCAPE, at + ESCAPE.length)) {
    const digit = body[at + ESCAPE.length] ?? 0;
    if (digit >= 0x34 && digit <= 0x37) return true;
  }
  return false;
}

/** A key some of whose letters are escaped. */
const ESCAPED_KEY = /"((?:[A-Za-z_]|\\u00[4-7][0-9A-Fa-f]){2,64})"\s*:/g;

/** Keys some of whose letters are escaped, unescaped. */
export function escapedKeys(body: Buffer): Set<string> {
  const keys = new Set<string>();
  if (!hasEscapedLetter(body)) return keys;
  for (const [, text = ''] of body.toString('latin1').matchAll(ESCAPED_KEY)) {
    if (text.includes('\\')) keys.add(String(JSON.parse(`"${text}"`)));
  }
  return keys;
}

function quoted(key: string): { key: string; bytes: Buffer } {
  return { key, bytes: Buffer.from(`"${key}"`) };
}

function flagsOfIds(dialect: CallerDialectName): number {
  const { fields } = HELD_FIELDS[dialect];
  return flagsOf(Object.keys(fields).filter((key) => fields[key]?.form === 'id' && !fields[key].top));
}
