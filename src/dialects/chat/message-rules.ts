import { createHash } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { parseDataUrl } from '../data-url.ts';
import { placed } from '../places.ts';
import { omitKeys } from '../read-json.ts';
import { mayCallTools, withReasoning } from './demanded-reasoning.ts';
import { isInlineImage, refusedFile, refusedImage } from './encode-content.ts';
import type { NoteDropped } from './field-rules.ts';
import { type FileForm, fileInForm, hasFile } from './file-parts.ts';
import { endsWithAssistant, hasOtherImage, hasTextList, hasWord, type Look } from './message-looks.ts';
import type { MessageQuirks, ReasoningField } from './quirks.ts';
import { hasStrictTurns, inStrictTurns, mayLeaveTurns } from './strict-turns.ts';

/** Fields in which a message of the assistant may hold its reasoning. */
const REASONING = ['reasoning_content', 'reasoning', 'reasoning_details'] as const;

/** Changes one message; gives the same object back where there is nothing to change. */
type Step = (message: JsonObject, model: string, drop: NoteDropped, at: string) => JsonObject;

/** The rules of one provider for `messages`, and a cheap look at whether a request can need them. */
export class MessageRules {
  readonly #quirks: MessageQuirks;
  readonly #steps: Step[];
  readonly #looks: Look[];

  constructor(quirks: MessageQuirks) {
    this.#quirks = quirks;
    const { instructions, toolCallIds, reasoning, audio, files, messageDrops = [] } = quirks;
    const { images, texts } = quirks;
    const steps: [Step, Look][] = [];
    if (instructions) steps.push([asSystem, hasWord(['developer'])]);
    // Where details go back, all three names are taken.
    if (reasoning && reasoning !== 'reasoning_details')
      steps.push([moveReasoning(reasoning), hasWord(REASONING)]);
    if (toolCallIds) steps.push([withLegalIds, hasWord(['tool_calls', 'tool_call_id'])]);
    if (audio) steps.push([withBareAudio, hasWord(['input_audio'])]);
    if (files) steps.push([withFiles(files), hasWord(['file'])]);
    if (images) steps.push([withInlineImages, hasOtherImage]);
    if (texts) steps.push([withJoinedTexts, hasTextList]);
    if (messageDrops.length > 0) steps.push([withoutFields(messageDrops), hasWord(messageDrops)]);
    this.#steps = steps.map(([step]) => step);
    this.#looks = steps.map(([, look]) => look);
  }

  /** No rule is about messages. */
  get isIdle(): boolean {
    const { alternating, continuation, strictTurns, demandsReasoning } = this.#quirks;
    const ofAll = [strictTurns, demandsReasoning, continuation, alternating || undefined];
    return this.#steps.length === 0 && ofAll.every((quirk) => quirk === undefined);
  }

  /** Whether the text of `messages` may hold anything that a rule is about. */
  mayApply(messages: Buffer, model: string): boolean {
    const { alternating, demandsReasoning } = this.#quirks;
    if (alternating) return true;
    if (demandsReasoning?.test(model) && mayCallTools(messages)) return true;
    if (hasStrictTurns(this.#quirks.strictTurns, model) && mayLeaveTurns(messages)) return true;
    if (this.#quirks.continuation && endsWithAssistant(messages)) return true;
    return this.#looks.some((look) => look(messages));
  }

  /** The messages as the server takes them; the same value where nothing has to change. */
  rewrite(messages: JsonValue, model: string, drop: NoteDropped): JsonValue {
    if (!Array.isArray(messages)) return messages;
    const { alternating, continuation, strictTurns, demandsReasoning } = this.#quirks;
    let rewritten: JsonValue[] = messages.map((message, index) => {
      if (!isObject(message)) return message;
      const at = `messages[${index}]`;
      return this.#steps.reduce((result, step) => step(result, model, drop, at), message);
    });
    if (demandsReasoning?.test(model)) rewritten = withReasoning(rewritten);
    if (hasStrictTurns(strictTurns, model)) rewritten = inStrictTurns(rewritten, drop);
    if (alternating) rewritten = joinTurns(rewritten);
    if (continuation) rewritten = continueLast(rewritten, continuation);
    const isSame =
      rewritten.length === messages.length &&
      rewritten.every((message, index) => message === messages[index]);
    return isSame ? messages : rewritten;
  }
}

function asSystem(message: JsonObject): JsonObject {
  return message['role'] === 'developer' ? { ...message, role: 'system' } : message;
}

/** Brings the reasoning of the assistant into the one field that the server takes. */
function moveReasoning(wanted: NonNullable<MessageQuirks['reasoning']>): Step {
  return (message, model, drop) => {
    if (message['role'] !== 'assistant' || !REASONING.some((key) => key in message)) return message;
    const field = typeof wanted === 'function' ? wanted(model) : wanted;
    const source = field === 'none' ? undefined : textField(message, field);
    const others = REASONING.filter((key) => key !== source && key in message);
    if (others.length === 0 && source === field) return message;
    const lost = others.filter((key) => saysSomething(message[key]));
    // The same text under a second name is no loss.
    for (const key of lost) {
      if (source === undefined || key === 'reasoning_details') drop(`messages[].${key}`);
    }
    if (field === 'thinking' && source !== undefined)
      return asThinking(omitKeys(message, new Set<string>(REASONING)), message[source]);
    const kept = Object.entries(omitKeys(message, new Set<string>(others)));
    return Object.fromEntries(kept.map(([key, value]) => [key === source ? field : key, value]));
  };
}

/** Before what was said, in a part of its own. */
function asThinking(message: JsonObject, text: JsonValue | undefined): JsonObject {
  const thinking: JsonObject = { type: 'thinking', thinking: [{ type: 'text', text: text ?? '' }] };
  return { ...message, content: [thinking, ...contentParts(message['content'])] };
}

function textField(message: JsonObject, field: ReasoningField): string | undefined {
  const names = [field, ...REASONING.filter((key) => key !== field)];
  return names.find((key) => typeof message[key] === 'string' && message[key] !== '');
}

function withoutFields(fields: readonly string[]): Step {
  const refused = new Set(fields);
  return (message, _model, drop) => {
    const found = fields.filter((field) => field in message);
    if (found.length === 0) return message;
    for (const field of found) if (saysSomething(message[field])) drop(`messages[].${field}`);
    return omitKeys(message, refused);
  };
}

function saysSomething(value: JsonValue | undefined): boolean {
  return (
    value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
  );
}

/** @throws GatewayError `invalid_request` for a file that the server does not take */
function withFiles(form: FileForm): Step {
  return (message, _model, _drop, at) => {
    const { content } = message;
    if (!hasFile(content)) return message;
    const parts = content.map((part, index) => {
      const written = isObject(part) ? fileInForm(part, form) : part;
      if (written === undefined) throw refusedFile(placed({}, `${at}.content[${index}]`));
      return written;
    });
    return { ...message, content: parts };
  };
}

/** @throws GatewayError `invalid_request` for an image that the server would refuse in words that say less */
function withInlineImages(message: JsonObject, _model: string, _drop: NoteDropped, at: string): JsonObject {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  for (const [index, part] of content.entries()) {
    const image = isObject(part) ? part['image_url'] : undefined;
    const url = isObject(image) ? image['url'] : image;
    if (typeof url === 'string' && !isInlineImage(url))
      throw refusedImage(placed({}, `${at}.content[${index}]`));
  }
  return message;
}

/** Texts alone, with nothing beside them. */
function withJoinedTexts(message: JsonObject): JsonObject {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const texts = content.map((part) => (isObject(part) && part['type'] === 'text' ? part['text'] : undefined));
  return texts.every((text) => typeof text === 'string')
    ? { ...message, content: texts.join('\n\n') }
    : message;
}

/** Some clients put a data URL where the base64 is wanted. */
function withBareAudio(message: JsonObject): JsonObject {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const parts = content.map((part) => {
    const audio = isObject(part) && part['type'] === 'input_audio' ? part['input_audio'] : undefined;
    const data = isObject(audio) ? audio['data'] : undefined;
    if (!isObject(part) || typeof data !== 'string') return part;
    return { ...part, input_audio: parseDataUrl(data)?.base64 ?? data };
  });
  return parts.every((part, index) => part === content[index]) ? message : { ...message, content: parts };
}

function withLegalIds(message: JsonObject): JsonObject {
  const { tool_call_id: answered, tool_calls: calls } = message;
  const changes: JsonObject = {};
  if (typeof answered === 'string' && !LEGAL_ID.test(answered)) changes['tool_call_id'] = legalId(answered);
  if (Array.isArray(calls) && calls.some((call) => isObject(call) && !hasLegalId(call))) {
    changes['tool_calls'] = calls.map((call) =>
      isObject(call) && !hasLegalId(call) ? { ...call, id: legalId(String(call['id'])) } : call,
    );
  }
  return Object.keys(changes).length === 0 ? message : { ...message, ...changes };
}

const LEGAL_ID = /^[a-zA-Z0-9]{9}$/;

function hasLegalId({ id }: JsonObject): boolean {
  return typeof id !== 'string' || LEGAL_ID.test(id);
}

/** The same for the same id, in every request: 53 bits of its hash. */
function legalId(id: string): string {
  const hash = createHash('sha256').update(id).digest('base64url');
  return hash.replace(/[^a-zA-Z0-9]/g, '').slice(0, 9);
}

const TURNS: ReadonlySet<JsonValue | undefined> = new Set<JsonValue | undefined>(['user', 'assistant']);

function joinTurns(messages: readonly JsonValue[]): JsonValue[] {
  const joined: JsonValue[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (
      isObject(message) &&
      isObject(last) &&
      TURNS.has(message['role']) &&
      message['role'] === last['role']
    ) {
      joined[joined.length - 1] = { ...last, content: joinContents(last['content'], message['content']) };
    } else {
      joined.push(message);
    }
  }
  return joined;
}

function joinContents(first: JsonValue | undefined, second: JsonValue | undefined): JsonValue {
  if (typeof first === 'string' && typeof second === 'string') return `${first}\n\n${second}`;
  return [...contentParts(first), ...contentParts(second)];
}

function contentParts(content: JsonValue | undefined): JsonValue[] {
  if (Array.isArray(content)) return content;
  return typeof content === 'string' && content !== '' ? [{ type: 'text', text: content }] : [];
}

function continueLast(messages: readonly JsonValue[], field: string): JsonValue[] {
  const last = messages.at(-1);
  const isOpen = isObject(last) && last['role'] === 'assistant' && !saysSomething(last['tool_calls']);
  if (!isOpen || last[field] === true) return [...messages];
  return [...messages.slice(0, -1), { ...last, [field]: true }];
}
