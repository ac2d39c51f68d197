import { CARRIED_MARKER } from '../conversation/carried-reasoning.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { beginsList, beginsText, countValues, hasValue } from './json-bytes.ts';
import type { FieldSpans } from './request-fields.ts';

/**
 * What a request names by an id instead of sending it, because the provider's account has it.
 *
 * `file`: uploaded. `item`: one of an earlier answer. `conversation`, `container`: what calls leave behind. `shared`: what
 * an operator sets up for many (vector stores, stored prompts, skills, caches, buckets).
 */
export type HeldKind = 'file' | 'item' | 'conversation' | 'container' | 'shared';

export interface HeldReference {
  kind: HeldKind;
  id: string;
  /** In the caller's words. */
  path: string;
}

interface HeldFields {
  /** Fields whose value is such an id, a list of them, or an object that has it as `id`. */
  keys: Readonly<Record<string, HeldKind>>;
  /** Fields of which only what stands at the top of the request is meant. */
  topLevel: ReadonlySet<string>;
  /** Fields below which the words are those of users, tools and models: nothing there is read by its id. */
  freeForm: ReadonlySet<string>;
  /** The same for objects of some types. */
  isFreeForm?: (value: JsonObject) => boolean;
}

/**
 * Sources: OpenAI API reference (chat completions, images, responses: input items, file search, code interpreter, shell,
 * conversations, prompts), Mistral API reference (chat: file chunks), Anthropic API reference (files, containers, skills),
 * Gemini and Vertex API references (`FileData`, `cachedContent`, `FileSearch`, `Retrieval`). Google's JSON takes each
 * field in both spellings.
 */
const FIELDS: Record<CallerDialectName, HeldFields> = {
  chat: {
    keys: { file_id: 'file', file_ids: 'file' },
    topLevel: new Set(),
    freeForm: new Set(['parameters', 'schema', 'metadata', 'arguments']),
  },
  responses: {
    keys: {
      file_id: 'file',
      file_ids: 'file',
      vector_store_ids: 'shared',
      skill_id: 'shared',
      prompt: 'shared',
      conversation: 'conversation',
      container: 'container',
      container_id: 'container',
    },
    topLevel: new Set(['prompt', 'conversation']),
    // Annotations and results repeat what an answer said.
    freeForm: new Set(['parameters', 'schema', 'metadata', 'arguments', 'annotations', 'results']),
  },
  messages: {
    keys: { file_id: 'file', container: 'container', skill_id: 'shared' },
    topLevel: new Set(['container']),
    freeForm: new Set(['input_schema', 'schema', 'metadata', 'citations']),
    isFreeForm: ({ type }) =>
      typeof type === 'string' && (type.endsWith('tool_use') || type.endsWith('_tool_result')),
  },
  gemini: {
    keys: {
      fileUri: 'shared',
      file_uri: 'shared',
      cachedContent: 'shared',
      cached_content: 'shared',
      fileSearchStoreNames: 'shared',
      file_search_store_names: 'shared',
      datastore: 'shared',
      dataStore: 'shared',
      data_store: 'shared',
      engine: 'shared',
      ragCorpus: 'shared',
      rag_corpus: 'shared',
      ragCorpora: 'shared',
      rag_corpora: 'shared',
      ragFileIds: 'shared',
      rag_file_ids: 'shared',
    },
    topLevel: new Set(['cachedContent', 'cached_content']),
    freeForm: new Set([
      'args',
      'response',
      'parameters',
      'parametersJsonSchema',
      'parameters_json_schema',
      'responseSchema',
      'response_schema',
      'responseJsonSchema',
      'response_json_schema',
      '_responseJsonSchema',
      'labels',
    ]),
  },
};

/** Of what can stand twice in one object, no reader knows which is meant. */
const COUNTED = mapFields(({ keys }, dialect) =>
  [...Object.keys(keys), ...(dialect === 'responses' ? ['id'] : [])].map((key) => ({
    key,
    bytes: Buffer.from(`"${key}"`),
  })),
);
const ID_KEY = Buffer.from('"id"');
const ESCAPE = Buffer.from('\\u00');

/** A key some of whose letters are escaped. */
const ESCAPED_KEY = /"((?:[A-Za-z_]|\\u00[4-7][0-9A-Fa-f]){2,64})"\s*:/g;

/** A search for a text that is rarely there, by the byte that is the rarest in it, costs 0.2 µs a kilobyte. */
const ID_ENDING = Buffer.from('_id');
const INTERPRETER = Buffer.from('_interpreter');
const URI_ENDINGS = [Buffer.from('Uri"'), Buffer.from('_uri"')];
const CONTAINER = Buffer.from('"container"');

/** Whether the bytes may hold one of the fields. */
const NAMES_HELD: Record<CallerDialectName, (body: Buffer, spans: FieldSpans) => boolean> = {
  chat: (body) => hasIdField(body, 'chat'),
  responses: (body, { conversation, prompt, input }) =>
    conversation !== undefined ||
    prompt !== undefined ||
    hasIdField(body, 'responses') ||
    (body.includes(INTERPRETER) && body.includes(CONTAINER)) ||
    (input !== undefined && beginsList(body, input.start) && hasValue(body, ID_KEY, beginsText)),
  messages: (body, { container }) => container !== undefined || hasIdField(body, 'messages'),
  gemini: (body, { cachedContent, cached_content: snakeCase, tools }) =>
    cachedContent !== undefined ||
    snakeCase !== undefined ||
    URI_ENDINGS.some((ending) => body.includes(ending)) ||
    (tools !== undefined && hasOneOf(body.subarray(tools.start, tools.end), 'gemini')),
};

function hasIdField(body: Buffer, dialect: CallerDialectName): boolean {
  return body.includes(ID_ENDING) && hasOneOf(body, dialect, '_id');
}

function hasOneOf(body: Buffer, dialect: CallerDialectName, word = ''): boolean {
  return COUNTED[dialect].some(({ key, bytes }) => key.includes(word) && body.includes(bytes));
}

/**
 * Whether a body may name something that a provider holds. Its bytes are searched for that, for nearly all name nothing.
 *
 * @param spans the places of the fields that the dialect's `PassThrough` wants to know
 */
export function mayNameHeld(body: Buffer, spans: FieldSpans, dialect: CallerDialectName): boolean {
  return NAMES_HELD[dialect](body, spans) || hasEscapedLetter(body);
}

/**
 * What a request names of what providers hold.
 *
 * @param request `body`, parsed
 * @throws GatewayError `invalid_request` where two readers could find different ids in it.
 */
export function findHeldReferences(
  body: Buffer,
  request: JsonObject,
  dialect: CallerDialectName,
): HeldReference[] {
  const counts = new Map<string, number>();
  const found: HeldReference[] = [];
  walk(request, '', FIELDS[dialect], found, counts);
  const escaped = hasEscapedLetter(body) ? escapedKeys(body) : undefined;
  for (const { key, bytes } of COUNTED[dialect]) {
    if (escaped?.has(key) || countValues(body, bytes) !== (counts.get(key) ?? 0)) {
      throw invalidRequest(`'${key}' stands twice in one object of the request body, or is escaped.`, key);
    }
  }
  return dialect === 'responses' ? [...found, ...heldItems(request)] : found;
}

/** Collects what is named at any depth, and counts the keys. */
function walk(
  value: JsonValue,
  path: string,
  fields: HeldFields,
  found: HeldReference[] | undefined,
  counts: Map<string, number>,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, `${path}[${index}]`, fields, found, counts);
    return;
  }
  if (!isObject(value)) return;
  const named = fields.isFreeForm?.(value) ? undefined : found;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const at = path === '' ? key : `${path}.${key}`;
    const kind = Object.hasOwn(fields.keys, key) ? fields.keys[key] : undefined;
    if (kind !== undefined && named && (path === '' || !fields.topLevel.has(key))) {
      for (const id of idsOf(inner)) if (isHeld(id, key, value)) named.push({ kind, id, path: at });
    }
    walk(inner, at, fields, fields.freeForm.has(key) ? undefined : named, counts);
  }
}

function idsOf(value: JsonValue): string[] {
  if (Array.isArray(value)) return value.flatMap(idsOf);
  if (isObject(value)) return typeof value['id'] === 'string' ? [value['id']] : [];
  return typeof value === 'string' && value !== '' ? [value] : [];
}

function isHeld(id: string, key: string, owner: JsonObject): boolean {
  if (key === 'fileUri' || key === 'file_uri') return isHeldUri(id);
  // Skills of Anthropic's own are everybody's.
  return key !== 'skill_id' || owner['type'] !== 'anthropic';
}

const GOOGLE_FILES = /^https?:\/\/[^/?#]*(?:generativelanguage|aiplatform)\.googleapis\.com/i;

/**
 * Whether an address leads to what only the account of a provider may read: its files and buckets, not what is public.
 *
 * Sources: Gemini API reference (`FileData`), Vertex AI ("gs://"), Bedrock (`s3Location`).
 */
export function isHeldUri(uri: string): boolean {
  return !/^https?:\/\//i.test(uri) || GOOGLE_FILES.test(uri);
}

/**
 * Items of earlier answers that are named instead of sent. Reasoning without its encrypted form and images without
 * their data are, too: what they hold is looked up by their ids.
 *
 * Source: OpenAI API reference (`item_reference`, whose type may be left out), guides "Reasoning" and "Image generation".
 */
function heldItems({ input }: JsonObject): HeldReference[] {
  if (!Array.isArray(input)) return [];
  return input.flatMap((item, index): HeldReference[] => {
    if (!isObject(item) || typeof item['id'] !== 'string' || !isNamedOnly(item)) return [];
    // Ids of ours lead nowhere: answers that we made are put in, or their ids taken out.
    if (item['id'].includes(CARRIED_MARKER)) return [];
    return [{ kind: 'item', id: item['id'], path: `input[${index}].id` }];
  });
}

const LABELS = new Set(['id', 'type', 'status']);

function isNamedOnly(item: JsonObject): boolean {
  const { type, content } = item;
  if (type === 'reasoning')
    return !item['encrypted_content'] && !(Array.isArray(content) && content.length > 0);
  if (type === 'image_generation_call') return typeof item['result'] !== 'string';
  return type === 'item_reference' || Object.keys(item).every((key) => LABELS.has(key) || item[key] === null);
}

/** Nobody escapes letters but those who hide something: other escapes (`\u00e9`, `\u003c`) are common. */
function hasEscapedLetter(body: Buffer): boolean {
  for (let at = body.indexOf(ESCAPE); at !== -1; at = body.indexOf(ESCAPE, at + ESCAPE.length)) {
    const digit = body[at + ESCAPE.length] ?? 0;
    if (digit >= 0x34 && digit <= 0x37) return true;
  }
  return false;
}

function escapedKeys(body: Buffer): Set<string> {
  const keys = new Set<string>();
  for (const [, text = ''] of body.toString('latin1').matchAll(ESCAPED_KEY)) {
    if (text.includes('\\')) keys.add(String(JSON.parse(`"${text}"`)));
  }
  return keys;
}

function mapFields<T>(
  map: (fields: HeldFields, dialect: CallerDialectName) => T,
): Record<CallerDialectName, T> {
  return {
    chat: map(FIELDS.chat, 'chat'),
    responses: map(FIELDS.responses, 'responses'),
    messages: map(FIELDS.messages, 'messages'),
    gemini: map(FIELDS.gemini, 'gemini'),
  };
}
