import { appendAll } from '../../conversation/append-all.ts';
import { CarriedIdReader } from '../../conversation/carried-reasoning.ts';
import type {
  Message,
  OpaquePart,
  Part,
  ReasoningPart,
  Role,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { placed, placeOf, saidTwice } from '../places.ts';
import { expectKind, omitKeys, optionalField, pathOf, requireField, unknownWord } from '../read-json.ts';
import { toolEntries } from './additional-tools.ts';
import { isCarried, readEncryptedContent } from './carried-items.ts';
import { type ContentPart, decodeContent } from './decode-content.ts';
import { AS_IT_CAME, ITEM, ownFields, responsesExtra } from './extra.ts';
import { withoutOwnId } from './ids.ts';
import type { Namespaces } from './namespaces.ts';
import { piecesText, reasoningExtra } from './reasoning-text.ts';
import { answeredSearches, foundText, SEARCH_TOOL } from './tool-search.ts';
import { isWord } from './words.ts';

/** Requests that name earlier items another way may come without any of their own. */
const INSTEAD_OF_INPUT = ['previous_response_id', 'conversation', 'prompt'];

/**
 * Reads `instructions` and `input`. The items of one turn of the assistant (reasoning, words, tool calls) follow each
 * other here; they become one message, as other dialects have it. What an item says around its parts (its id, its
 * status) stays with the first of them.
 *
 * Items that only this dialect knows (built-in tools, their results, compactions, …) stand verbatim in the assistant's
 * messages, those that the client wrote too: only this dialect writes them back, and in their order.
 *
 * Source: OpenAI API reference (create a model response, `ResponseInputItem`).
 */
export function decodeInput(body: JsonObject, namespaces: Namespaces): Message[] {
  const messages: Message[] = [];
  const instructions = optionalField(body, 'instructions', 'string', '');
  if (instructions !== undefined) {
    const part: TextPart = { type: 'text', text: instructions };
    part.extra = { dialect: 'responses', fields: { instructions: true } };
    messages.push({ role: 'system', parts: [part] });
  }
  const { input } = body;
  if (typeof input === 'string') {
    return [...messages, { role: 'user', parts: [{ type: 'text', text: input }] }];
  }
  const mayLack = INSTEAD_OF_INPUT.some((key) => body[key] !== undefined && body[key] !== null);
  if (mayLack && (input === undefined || input === null)) return messages;
  const adding = new Set(toolEntries(body).map((entry) => entry.item));
  const items = expectKind(input, 'array', 'input');
  const decoder = new ItemDecoder(messages, namespaces, adding, answeredSearches(items));
  for (const [index, item] of items.entries()) {
    decoder.decode(item, pathOf('input', index));
  }
  return messages;
}

const ROLES = ['user', 'assistant', 'system', 'developer'];

const MESSAGE_FIELDS = new Set(['role', 'content']);
const CALL_FIELDS = new Set(['type', 'call_id', 'name', 'arguments']);
const CUSTOM_CALL_FIELDS = new Set(['type', 'call_id', 'name', 'input']);
const RESULT_FIELDS = new Set(['call_id', 'output']);
const REASONING_FIELDS = new Set(['type', 'summary', 'content', 'encrypted_content']);

/** Goes through the items in order and remembers the tool calls, which results name by their id alone. */
class ItemDecoder {
  readonly #messages: Message[];
  readonly #namespaces: Namespaces;
  /** Items that add tools which are among the conversation's, too. */
  readonly #adding: ReadonlySet<JsonObject | undefined>;
  /** The ids of searches for tools that the client made and answered. */
  readonly #searches: ReadonlySet<string>;
  readonly #carried = new CarriedIdReader();
  readonly #toolNames = new Map<string, string>();
  /** The turn of the assistant that is not over yet. */
  #turn: Message | undefined;
  /** What proves the reasoning of that turn: a client that sent it both ways is not taken twice at its word. */
  #proofs = new Set<string>();

  constructor(
    messages: Message[],
    namespaces: Namespaces,
    adding: ReadonlySet<JsonObject | undefined>,
    searches: ReadonlySet<string>,
  ) {
    this.#searches = searches;
    this.#messages = messages;
    this.#namespaces = namespaces;
    this.#adding = adding;
  }

  decode(value: JsonValue, at: string): void {
    const item = expectKind(value, 'object', at);
    const said = optionalField(item, 'type', 'string', at);
    // Messages may leave their type out.
    const type = said ?? ('role' in item ? 'message' : requireField(item, 'type', 'string', at));
    switch (type) {
      case 'message':
        this.#decodeMessage(item, at);
        break;
      case 'reasoning':
        this.#decodeReasoning(item, at);
        break;
      case 'function_call':
        this.#decodeCall(item, 'function', at);
        break;
      case 'custom_tool_call':
        this.#decodeCall(item, 'custom', at);
        break;
      case 'function_call_output':
      case 'custom_tool_call_output':
        this.#decodeResult(item, at);
        break;
      case 'item_reference':
        throw unresolvedReference(item, at);
      case 'tool_search_call':
        if (this.#isAnsweredSearch(item)) this.#decodeSearch(item, at);
        else this.#sayOwn(item, at);
        break;
      case 'tool_search_output':
        if (this.#isAnsweredSearch(item)) this.#decodeFound(item, at);
        else this.#sayOwn(item, at);
        break;
      default:
        this.#sayOwn(item, at);
        break;
    }
  }

  /** What only this dialect has a word for. */
  #sayOwn(item: JsonObject, at: string): void {
    const part: Part = placed({ type: 'opaque', dialect: 'responses', value: withoutOwnId(item) }, at);
    this.#say([this.#adding.has(item) ? saidTwice(part) : part]);
  }

  #decodeMessage(item: JsonObject, at: string): void {
    const role = requireField(item, 'role', 'string', at);
    const path = pathOf(at, 'content');
    const fields = withoutOwnId(omitKeys(item, MESSAGE_FIELDS));
    if (role === 'assistant') {
      this.#say(withItem(decodeContent(item['content'], 'assistant', path), fields, this.#continuesText));
      return;
    }
    if (!isRole(role)) throw unknownWord(role, ROLES, pathOf(at, 'role'));
    const parts = withItem(decodeContent(item['content'], 'message', path), fields, false);
    this.#add(placed({ role, parts }, at));
  }

  #decodeReasoning(item: JsonObject, at: string): void {
    optionalField(item, 'summary', 'array', at);
    optionalField(item, 'content', 'array', at);
    const encrypted = optionalField(item, 'encrypted_content', 'string', at) ?? '';
    const carried = readEncryptedContent(encrypted, this.#carried);
    if (carried) {
      this.#restore(carried.reasoning);
      const text = this.#turn?.parts.findLast((part) => part.type === 'text');
      if (carried.signature && text) text.signature = carried.signature;
      return;
    }
    const part: ReasoningPart = { type: 'reasoning', text: piecesText(item) };
    // What was ours and came back broken proves nothing to anybody.
    if (encrypted !== '' && !isCarried(encrypted))
      part.encrypted = { dialect: 'responses', value: encrypted };
    const extra = reasoningExtra(item, withoutOwnId(omitKeys(item, REASONING_FIELDS)));
    if (extra) part.extra = extra;
    if (part.encrypted) this.#proofs.add(part.encrypted.value);
    this.#say([placed(part, at)]);
  }

  #decodeCall(item: JsonObject, kind: ToolCallPart['kind'], at: string): void {
    const { id, carried } = this.#carried.read(requireField(item, 'call_id', 'string', at));
    const name = requireField(item, 'name', 'string', at);
    const namespace = optionalField(item, 'namespace', 'string', at);
    const call: ToolCallPart = {
      type: 'tool_call',
      id,
      kind,
      name: namespace === undefined ? name : this.#namespaces.plainName({ namespace, name }),
      arguments:
        kind === 'custom'
          ? requireField(item, 'input', 'string', at)
          : (optionalField(item, 'arguments', 'string', at) ?? ''),
    };
    if (carried?.signature) call.signature = carried.signature;
    const known = kind === 'custom' ? CUSTOM_CALL_FIELDS : CALL_FIELDS;
    const fields = withoutOwnId(omitKeys(item, known));
    const extra = itemExtra(namespace === undefined ? fields : { ...fields, name });
    if (extra) call.extra = extra;
    this.#toolNames.set(id, call.name);
    this.#restore(carried?.reasoning ?? []);
    this.#say([placed(call, at)]);
  }

  #isAnsweredSearch({ call_id: id, execution }: JsonObject): boolean {
    return execution !== 'server' && typeof id === 'string' && this.#searches.has(id);
  }

  #decodeSearch(item: JsonObject, at: string): void {
    const { id, carried } = this.#carried.read(String(item['call_id']));
    const { arguments: said } = item;
    const call: ToolCallPart = {
      type: 'tool_call',
      id,
      kind: 'function',
      name: SEARCH_TOOL,
      arguments: typeof said === 'string' ? said : JSON.stringify(said ?? {}),
      extra: { dialect: 'responses', fields: { [AS_IT_CAME]: withoutOwnId({ ...item, call_id: id }) } },
    };
    if (carried?.signature) call.signature = carried.signature;
    this.#toolNames.set(id, SEARCH_TOOL);
    this.#restore(carried?.reasoning ?? []);
    this.#say([placed(call, at)]);
  }

  #decodeFound(item: JsonObject, at: string): void {
    const { id: callId } = this.#carried.read(String(item['call_id']));
    const tools = optionalField(item, 'tools', 'array', at) ?? [];
    const result: ToolResultPart = {
      type: 'tool_result',
      callId,
      name: SEARCH_TOOL,
      parts: [{ type: 'text', text: foundText(tools, this.#namespaces) }],
      extra: { dialect: 'responses', fields: { [AS_IT_CAME]: withoutOwnId({ ...item, call_id: callId }) } },
    };
    this.#add({ role: 'tool', parts: [placed(result, at)] });
  }

  #decodeResult(item: JsonObject, at: string): void {
    const { id: callId } = this.#carried.read(requireField(item, 'call_id', 'string', at));
    const content = decodeContent(item['output'], 'result', pathOf(at, 'output'));
    const result: ToolResultPart = { type: 'tool_result', callId, parts: content.filter(isResultContent) };
    const name = this.#toolNames.get(callId);
    if (name !== undefined) result.name = name;
    const extra = itemExtra(withoutOwnId(omitKeys(item, RESULT_FIELDS)));
    if (extra) result.extra = extra;
    this.#add({ role: 'tool', parts: [placed(result, at)] });
  }

  /** Reasoning that was carried, once. */
  #restore(reasoning: readonly ReasoningPart[]): void {
    for (const part of reasoning) {
      const proof = (part.signature ?? part.encrypted)?.value;
      if (proof === undefined || this.#proofs.has(proof)) continue;
      this.#proofs.add(proof);
      this.#say([part]);
    }
  }

  /** Whether text said now would go on in the item of the text before. */
  get #continuesText(): boolean {
    const last = this.#turn?.parts.at(-1);
    return last !== undefined && isWord(last);
  }

  #say(parts: readonly Part[]): void {
    if (!this.#turn) {
      this.#turn = { role: 'assistant', parts: [] };
      this.#messages.push(this.#turn);
    }
    appendAll(this.#turn.parts, parts);
  }

  #add(message: Message): void {
    this.#turn = undefined;
    this.#proofs = new Set();
    this.#messages.push(message);
  }
}

/** The fields of a message's item, on its first part; an item without content still says its role. */
function withItem(content: ContentPart[], fields: JsonObject, mustMark: boolean): ContentPart[] {
  const [first, ...others] = content.length > 0 ? content : [{ type: 'text', text: '' } satisfies TextPart];
  if (!first || (!mustMark && Object.keys(fields).length === 0)) return first ? [first, ...others] : [];
  const extra = responsesExtra({ ...ownFields(first.extra), [ITEM]: fields });
  if (first.type === 'opaque') return [withItemExtra(first, extra), ...others];
  return [placed({ ...first, ...(extra ? { extra } : {}) }, placeOf(first)), ...others];
}

/** The same part: what is known of it is known of the object. */
function withItemExtra(part: OpaquePart, extra: OpaquePart['extra']): OpaquePart {
  return extra ? Object.assign(part, { extra }) : part;
}

function itemExtra(fields: JsonObject): ToolCallPart['extra'] {
  return Object.keys(fields).length === 0 ? undefined : responsesExtra({ [ITEM]: fields });
}

function isRole(role: string): role is Role {
  return ROLES.includes(role);
}

function isResultContent(
  part: ContentPart,
): part is Extract<ContentPart, { type: 'text' | 'image' | 'file' | 'opaque' }> {
  return part.type === 'text' || part.type === 'image' || part.type === 'file' || part.type === 'opaque';
}

function unresolvedReference(item: JsonObject, at: string): Error {
  const id = optionalField(item, 'id', 'string', at) ?? '';
  return invalidRequest(
    `'${at}' refers to the item '${id}', which is not known here. Send the item itself, or name the response that it is from in 'previous_response_id'.`,
    pathOf(at, 'id'),
    'item_not_found',
  );
}
