import { isDemandedBack } from '../../conversation/carried-reasoning.ts';
import type { DialectName, ReasoningPart, Signature } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';

/**
 * `reasoning_details`, OpenRouter's convention for reasoning that has to be sent back as it came: an array of
 * `reasoning.text` { text, signature }, `reasoning.summary` { summary } and `reasoning.encrypted` { data }, each
 * with the `format` of the API that made it and an `index`. Pieces of one reasoning share the index; in streams they
 * come as deltas. Gemini's signature of a tool call is an encrypted piece with the call's `id`; its signature of
 * the answer's text, a text piece without text.
 *
 * Source: OpenRouter, "Reasoning tokens" (preserving reasoning blocks, `reasoning_details` array structure).
 */
const FORMATS: Record<DialectName, string> = {
  messages: 'anthropic-claude-v1',
  gemini: 'google-gemini-v1',
  responses: 'openai-responses-v1',
  // These two are our own: OpenRouter has no name for them.
  converse: 'amazon-converse-v1',
  chat: 'openai-chat-v1',
};

const DIALECT_OF_FORMAT = new Map(
  Object.entries(FORMATS).map(([dialect, format]) => [format, dialect as DialectName]),
);

/**
 * The details of an answer as one proof, which nobody but the server that wrote them can make anything of: they must go back as they came,
 * in their order.
 */
export function sealDetails(details: readonly JsonValue[]): Signature {
  return { dialect: 'chat', value: JSON.stringify(details) };
}

const DETAIL_FIELDS = ['type', 'text', 'summary', 'data', 'signature', 'format', 'id', 'index'] as const;

/**
 * The details that a proof stands for, word by word: it comes from a client, which can have made it up. Nothing where it is no list of
 * details.
 */
export function unsealDetails({ dialect, value }: Signature): JsonObject[] {
  const list = dialect === 'chat' ? tryParseJson(value) : undefined;
  return (Array.isArray(list) ? list : []).filter(isObject).map((detail) => {
    const said = DETAIL_FIELDS.filter((field) => isWord(detail[field]));
    return Object.fromEntries(said.map((field) => [field, detail[field]]));
  });
}

function isWord(value: JsonValue | undefined): boolean {
  return value === null || typeof value === 'string' || typeof value === 'number';
}

/** Writes the details of one answer, numbering them; only what a provider demands back is written. */
export class ReasoningDetailWriter {
  #index = 0;

  reasoning(part: ReasoningPart): JsonObject[] {
    const { text, signature, encrypted } = part;
    // What is sealed was said by this name already.
    if (!isDemandedBack(part) || encrypted?.dialect === 'chat') return [];
    const index = this.#index++;
    const details: JsonObject[] = [];
    if (signature) {
      const format = FORMATS[signature.dialect];
      details.push({ type: 'reasoning.text', text, signature: signature.value, format, index });
    }
    if (encrypted) {
      const format = FORMATS[encrypted.dialect];
      if (text !== '' && !signature)
        details.push({ type: 'reasoning.summary', summary: text, format, index });
      details.push({ type: 'reasoning.encrypted', data: encrypted.value, format, index });
    }
    return details;
  }

  /** `id`: the provider's own id of the call. */
  toolCall(id: string, signature: Signature): JsonObject {
    const format = FORMATS[signature.dialect];
    return { type: 'reasoning.encrypted', data: signature.value, id, format, index: this.#index++ };
  }

  text(signature: Signature): JsonObject {
    const format = FORMATS[signature.dialect];
    return { type: 'reasoning.text', signature: signature.value, format, index: this.#index++ };
  }
}

export interface ReasoningDetails {
  /** What a provider demands back. */
  demanded: ReasoningPart[];
  /** Readable reasoning that none demands back, joined. */
  unsigned: string;
  /** By the tool call's own id. */
  callSignatures: Map<string, Signature>;
  textSignature?: Signature;
  /** Pieces of formats that we do not know, verbatim. */
  unknown: JsonObject[];
}

/** Reads a replayed `reasoning_details`; whatever has not the form of the convention counts as unknown. */
export function decodeReasoningDetails(value: JsonValue | undefined): ReasoningDetails {
  const details: ReasoningDetails = { demanded: [], unsigned: '', callSignatures: new Map(), unknown: [] };
  const parts: { key: string; part: ReasoningPart }[] = [];
  for (const item of Array.isArray(value) ? value : []) {
    if (!isObject(item)) continue;
    const dialect = DIALECT_OF_FORMAT.get(String(item['format']));
    const text = detailText(item);
    const signature = readString(item, 'signature');
    const data = readString(item, 'data');
    const id = readString(item, 'id');
    if (!dialect) {
      details.unknown.push(item);
      details.unsigned += text ?? '';
    } else if (dialect === 'gemini' && data !== undefined && id !== undefined) {
      details.callSignatures.set(id, { dialect, value: data });
    } else if (dialect === 'gemini' && signature !== undefined && text === undefined) {
      details.textSignature = { dialect, value: signature };
    } else {
      const part = pieceOwner(parts, `${dialect} ${String(item['index'])}`);
      part.text += text ?? '';
      if (signature !== undefined) part.signature = { dialect, value: signature };
      if (data !== undefined) part.encrypted = { dialect, value: data };
    }
  }
  for (const { part } of parts) {
    if (isDemandedBack(part)) details.demanded.push(part);
    else details.unsigned += part.text;
  }
  return details;
}

/** The part that a piece belongs to: pieces of one reasoning follow each other and share format and index. */
function pieceOwner(parts: { key: string; part: ReasoningPart }[], key: string): ReasoningPart {
  const last = parts.at(-1);
  if (last?.key === key) return last.part;
  const part: ReasoningPart = { type: 'reasoning', text: '' };
  parts.push({ key, part });
  return part;
}

/** The readable text of details; `undefined` where they have none. */
export function detailsText(value: JsonValue | undefined): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.flatMap((item) => (isObject(item) ? (detailText(item) ?? []) : []));
  return texts.length === 0 ? undefined : texts.join('');
}

function detailText(item: JsonObject): string | undefined {
  return readString(item, item['type'] === 'reasoning.summary' ? 'summary' : 'text');
}

function readString(item: JsonObject, key: string): string | undefined {
  const value = item[key];
  return typeof value === 'string' ? value : undefined;
}

/** Joins the pieces of a stream (OpenRouter upstream) into the array that the whole answer would have. */
export function joinDetailPieces(pieces: readonly JsonObject[]): JsonObject[] {
  const joined: JsonObject[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (!last || last['type'] !== piece['type'] || last['index'] !== piece['index']) {
      joined.push({ ...piece });
      continue;
    }
    for (const key of ['text', 'summary', 'data']) {
      const more = readString(piece, key);
      if (more !== undefined) last[key] = (readString(last, key) ?? '') + more;
    }
    for (const key of ['signature', 'format', 'id']) {
      const value = piece[key];
      if (value !== undefined && value !== null) last[key] = value;
    }
  }
  return joined;
}

/** The readable reasoning of a message, whichever of its names the server uses, or only `reasoning_details`. */
export function reasoningText(message: JsonObject): string | undefined {
  return plainReasoning(message) ?? detailsText(message['reasoning_details']);
}

/**
 * What stands beside the details: `reasoning_content` (DeepSeek, Moonshot, xAI, Z.ai, Alibaba, vLLM), `reasoning` as a
 * string (Groq, Cerebras, Ollama, OpenRouter) or as an object with the text in it. Details repeat it.
 */
export function plainReasoning(message: JsonObject): string | undefined {
  const { reasoning_content: content, reasoning } = message;
  if (typeof content === 'string' && content !== '') return content;
  if (typeof reasoning === 'string' && reasoning !== '') return reasoning;
  if (!isObject(reasoning)) return undefined;
  const text = readString(reasoning, 'content') ?? readString(reasoning, 'text');
  return text === '' ? undefined : text;
}
