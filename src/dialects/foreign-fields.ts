import type {
  Conversation,
  DialectName,
  Message,
  OpaquePart,
  Part,
  ToolResultPart,
} from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { callerWord, messagePath, opaqueName, partPaths, resultPartPath } from './caller-words.ts';
import { checkFieldKinds } from './field-kinds.ts';
import { isSaidTwice, placeOf } from './places.ts';
import { isUnknownPart, refusalOf } from './unknown-parts.ts';

/** `refused`: the answer would be another one without it. `kept`: the gateway does itself what the field asks for. */
type Policy = 'refused' | 'dropped' | 'kept';

type FieldPolicy = (value: JsonValue | undefined, dialect: DialectName) => Policy;

const refused: FieldPolicy = () => 'refused';
const kept: FieldPolicy = () => 'kept';

/** Asked for, or said in so many words that it is not. */
const refusedIfTrue: FieldPolicy = (value) => (value === true ? 'refused' : 'kept');

const refusedIfSaid: FieldPolicy = (value) => (value === '' || value === null ? 'kept' : 'refused');

/** Whether an answer may be withheld by it; else it only tells scores beside the answer. */
function mayBlock(moderation: JsonValue | undefined): boolean {
  const policy = isObject(moderation) ? moderation['policy'] : undefined;
  if (!isObject(policy)) return false;
  return Object.values(policy).some((stage) => isObject(stage) && stage['mode'] === 'block');
}

const refusedIfBlocking: FieldPolicy = (value) => {
  if (value === null) return 'kept';
  return mayBlock(value) ? 'refused' : 'dropped';
};

/** What OpenAI moderates by, of which a caller of chat has the same words as one of its other API. */
export function openAiModeration({ extra }: Conversation): JsonObject {
  const moderation = extra?.dialect === 'chat' ? extra.fields['moderation'] : undefined;
  return isObject(moderation) ? { moderation } : {};
}

/** Whether these words ask for text alone, which every answer is. */
function isTextAlone(kinds: JsonValue | undefined): boolean {
  return wordsOf(kinds).every((kind) => kind === 'text' || kind === 'modality_unspecified' || kind === '');
}

function wordsOf(kinds: JsonValue | undefined): string[] {
  const list = Array.isArray(kinds) ? kinds : [kinds ?? ''];
  return list.map((kind) => (typeof kind === 'string' ? kind.toLowerCase() : String(kind)));
}

/** Of what else than text chat's kin asks for, Gemini alone can be asked for pictures, and they can be shown. */
function asksForPictures(kinds: JsonValue | undefined): boolean {
  return (
    Array.isArray(kinds) &&
    kinds.includes('image') &&
    kinds.every((kind) => kind === 'text' || kind === 'image')
  );
}

/** The `responseModalities` that a chat caller's `modalities` stand for at Gemini. */
export function geminiModalities({ extra }: Conversation): string[] | undefined {
  const kinds = extra?.dialect === 'chat' ? extra.fields['modalities'] : undefined;
  return asksForPictures(kinds) ? wordsOf(kinds).map((kind) => kind.toUpperCase()) : undefined;
}

/** What answers hold anyway, wherever they come from. */
const INCLUDED = new Set<JsonValue>(['reasoning.encrypted_content', 'message.output_text.logprobs']);

/**
 * What becomes of request fields that only the caller's dialect knows at a provider of another; those not listed are
 * dropped and named.
 *
 * Source: OpenAI API reference (create a model response); Gemini API reference (`cachedContent`).
 */
const POLICIES: Partial<Record<DialectName, Record<string, FieldPolicy>>> = {
  chat: {
    modalities: (value, dialect) =>
      isTextAlone(value) || (dialect === 'gemini' && asksForPictures(value)) ? 'kept' : 'refused',
    moderation: (value, dialect) =>
      dialect === 'responses' && isObject(value) ? 'kept' : refusedIfBlocking(value, dialect),
  },
  responses: {
    moderation: refusedIfBlocking,
    // They name what only OpenAI holds. Where the gateway holds it, it is in the conversation already.
    previous_response_id: refused,
    conversation: refused,
    prompt: refused,
    background: refusedIfTrue,
    store: kept,
    metadata: kept,
    // Obfuscation pads events to hide their length; whether there is any is ours to say.
    stream_options: kept,
    truncation: (value) => (value === 'disabled' ? 'kept' : 'dropped'),
    include: (value) =>
      Array.isArray(value) && value.every((item) => INCLUDED.has(item)) ? 'kept' : 'dropped',
  },
  gemini: {
    // It holds instructions, documents and turns, and Google alone has them.
    cachedContent: refusedIfSaid,
    // It stands for the part of the answer that was had already.
    continuationToken: refusedIfSaid,
    // Prompts are not to be answered that it does not let through.
    modelArmorConfig: refusedIfSaid,
    'generationConfig.responseModalities': (value) => (isTextAlone(value) ? 'kept' : 'refused'),
    // Those that are known elsewhere were read. One word of an enum, without quotes, is no other's to promise.
    'generationConfig.responseMimeType': refusedIfSaid,
  },
  messages: {
    // The answer is a summary then, and no answer.
    compaction: refusedIfSaid,
    // One that is named holds the files of earlier turns.
    container: (value) => (isObject(value) && typeof value['id'] !== 'string' ? 'dropped' : 'refused'),
  },
};

/**
 * Blocks of the assistant's turns without which the answer would be to another conversation, or in another form: what stands
 * in for what was said before, and what the client's own tools answered. What a provider's tools did is told in the words around it.
 */
const REFUSED_TURN_PARTS: Partial<Record<DialectName, (value: JsonObject) => boolean>> = {
  responses: ({ type, execution, text }) =>
    CHANGING_ITEMS.has(String(type)) ||
    (type === 'configuration_update' && isObject(text)) ||
    (execution !== 'server' && CLIENTS_ITEMS.test(String(type))),
  messages: ({ type }) => type === 'compaction',
};

/** What stands for turns, asks for them to be summed up, offers tools, is said by another agent. */
const CHANGING_ITEMS: ReadonlySet<string> = new Set([
  'compaction',
  'compaction_trigger',
  'additional_tools',
  'agent_message',
]);

/** `computer_call_output`, `shell_call_output`, …: all that a client answers a call with. */
const CLIENTS_ITEMS = /_output$|^mcp_approval_response$/;

/**
 * The top-level fields that a provider of `dialect` cannot be told, in the caller's words. To be asked before anything
 * else is encoded: what these fields stand for may be missing elsewhere.
 *
 * @throws GatewayError `invalid_request` for one without which the answer would be another, and for one that the caller's own
 *   dialect does not allow.
 */
export function foreignFields(conversation: Conversation, dialect: DialectName): string[] {
  const names = fieldNames(conversation, dialect);
  if (conversation.dialect !== dialect) {
    if (conversation.messages.length === 0) throw emptyConversation(conversation);
    refuseParts(conversation, dialect);
    refuseSilence(conversation, dialect);
  }
  return names;
}

/** Objects whose known fields are said in neutral words: what is left of them is named field by field. */
const HOLDERS: ReadonlySet<string> = new Set([
  'generationConfig',
  'toolConfig',
  'metadata',
  'output_config',
  'text',
  'stream_options',
]);

function nestedNames(
  key: string,
  value: JsonValue | undefined,
  { dialect, responseFormat }: Conversation,
  isLost: (path: string, value: JsonValue | undefined) => boolean,
): string[] {
  if (!HOLDERS.has(key) || !isObject(value) || (dialect === 'chat' && key === 'metadata')) return [key];
  // The schema in its own form beside the neutral one, which was sent.
  const isCopy = (inner: string) => inner === 'responseSchema' && responseFormat?.type === 'json_schema';
  return Object.entries(value)
    .filter(([inner, said]) => !isCopy(inner) && isLost(`${key}.${inner}`, said))
    .map(([inner]) => `${key}.${inner}`);
}

function fieldNames(conversation: Conversation, dialect: DialectName): string[] {
  const { extra } = conversation;
  if (!extra || extra.dialect === dialect) return [];
  checkFieldKinds(extra);
  const policies = POLICIES[extra.dialect] ?? {};
  /** Whether a field is to be named. */
  const isLost = (path: string, value: JsonValue | undefined) => {
    const policy = Object.hasOwn(policies, path) ? policies[path]?.(value, dialect) : 'dropped';
    if (policy === 'refused') throw refusedField(path);
    return policy !== 'kept';
  };
  return Object.entries(extra.fields).flatMap(([key, value]) =>
    isLost(key, value) ? nestedNames(key, value, conversation, isLost) : [],
  );
}

/**
 * Whether a provider of `dialect` is told anything by a part that could be answered. Most refuse white space, and none says
 * anything of it; words of ours in its place would be answered as if they were the caller's.
 */
function saysSomething(part: Part, dialect: DialectName): boolean {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text.trim() !== '';
    case 'reasoning':
      return false;
    case 'opaque':
      return !isForeign(part, dialect);
    default:
      return true;
  }
}

/**
 * What is to be answered must say something: without the user's last turn, the assistant's before it would be gone on with,
 * and an older one answered again. A turn is all that the user and the tools say since the assistant's last message.
 */
function refuseSilence(conversation: Conversation, dialect: DialectName): void {
  const { messages } = conversation;
  const says = ({ parts }: Message) => parts.some((part) => saysSomething(part, dialect));
  if (!messages.some(says)) throw emptyConversation(conversation);
  const isUsers = ({ role }: Message) => role === 'user' || role === 'tool';
  const start = messages.findLastIndex(({ role }) => role === 'assistant') + 1;
  const turn = messages.slice(start).filter(isUsers);
  if (turn.length > 0 && !turn.some(says))
    throw silentTurn(messagePath(conversation, messages.findLastIndex(isUsers)));
}

function silentTurn(path: string): Error {
  return invalidRequest(
    `'${path}' is the user's last turn and says nothing that could be answered. Say something in it, or leave it out.`,
    path,
    'invalid_value',
  );
}

/** Nothing but empty texts, and items that the provider has no word for. */
function emptyConversation(conversation: Conversation): Error {
  const word = placeOf(conversation) ?? callerWord(conversation, 'messages');
  return invalidRequest(`'${word}' holds nothing that could be answered.`, word, 'invalid_value');
}

/** What users, instructions and tools say is what the answer is about: a block of theirs is never left out. */
function refuseParts(conversation: Conversation, dialect: DialectName): void {
  const isRefused = REFUSED_TURN_PARTS[conversation.dialect];
  for (const [index, { role, parts }] of conversation.messages.entries()) {
    for (const [at, part] of parts.entries()) {
      refuseSource(dialect, part, () => partPaths(conversation, index)[at] ?? '');
      if (part.type === 'tool_result') refuseInResult(conversation, dialect, part, index, at);
      else if (!isForeign(part, dialect) || isSaidTwice(part)) continue;
      else if (role !== 'assistant' || isUnknownPart(part) || isRefused?.(part.value))
        throw refusedPart(part, partPaths(conversation, index)[at] ?? '');
    }
  }
}

function refuseInResult(
  conversation: Conversation,
  dialect: DialectName,
  result: ToolResultPart,
  index: number,
  at: number,
): void {
  for (const [inner, part] of result.parts.entries()) {
    const path = () => resultPartPath(conversation, partPaths(conversation, index)[at] ?? '', inner, part);
    refuseSource(dialect, part, path);
    if (isForeign(part, dialect)) throw refusedPart(part, path());
  }
}

/** Files of Google's Files API, which nobody but Google can read: not even their ids are another vendor's to see. */
const GOOGLE_FILE = /^https:\/\/generativelanguage\.googleapis\.com\/([^/?#]+\/)?files\//i;

function refuseSource(dialect: DialectName, part: Part, path: () => string): void {
  refuseGoogleFile(dialect, part, path);
  if (!('source' in part) || part.source.kind !== 'data' || !NO_BASE64.test(part.source.base64)) return;
  const place = path();
  throw invalidRequest(`The data of '${place}' is not valid base64.`, place, 'invalid_value');
}

/** A character of neither alphabet (RFC 4648). What providers make of line ends and lengths is theirs to say. */
const NO_BASE64 = /[^\w+/=\s-]/;

function refuseGoogleFile(dialect: DialectName, part: Part, path: () => string): void {
  if (dialect === 'gemini' || !('source' in part) || part.source.kind !== 'url') return;
  if (!GOOGLE_FILE.test(part.source.url)) return;
  const place = path();
  throw invalidRequest(
    `'${place}' names a file in another provider's store. Send its data or a URL instead.`,
    place,
    'unsupported_file',
  );
}

/** A block without a single field says nothing. */
function isForeign(part: Part, dialect: DialectName): part is OpaquePart {
  return part.type === 'opaque' && part.dialect !== dialect && Object.keys(part.value).length > 0;
}

function refusedPart(part: OpaquePart, path: string): Error {
  const refusal = refusalOf(part);
  if (refusal) return refusal;
  const { value } = part;
  const type = opaqueName(value);
  const instead = type === 'compaction' ? 'Send the messages that it stands for' : 'Leave it out';
  return invalidRequest(
    `'${path}' is of the type '${type}', which only the provider can read that has it. ${instead}, or choose another model.`,
    path,
    'unsupported_content',
  );
}

function refusedField(name: string): Error {
  return invalidRequest(
    `'${name}' cannot be honoured by the model this call goes to. Leave it out or choose another model.`,
    name,
    'unsupported_parameter',
  );
}
