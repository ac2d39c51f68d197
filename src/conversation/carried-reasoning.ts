import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { readCarriedExtra } from './carried-fields.ts';
import type { DialectName, ReasoningPart, Signature, ToolCallPart } from './conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from './json.ts';

/**
 * Reasoning that a provider demands back (Anthropic's signatures and redacted thinking, Gemini's thought
 * signatures) must survive a tool round trip through clients that keep only the standard fields of a message.
 * The one field that every client returns untouched is a tool call's id, so that is where it travels:
 *
 *     ORIGINAL_ID + '__fl1__' + base64url(deflate-raw(JSON of `Carried`))
 *
 * No state is kept: any instance reads what another one wrote. Ids hold only `[A-Za-z0-9_-]` besides what the
 * provider itself put there, and a provider never sees a carried id: decoding a request restores the original.
 */
export interface Carried {
  /** What stands since the previous tool call of the turn, of what the provider takes back. */
  reasoning: ReasoningPart[];
  /** The tool call's own signature. */
  signature?: Signature;
}

/** A body without this holds no carried id: a byte search tells whether it has to be decoded at all. */
export const CARRIED_MARKER = '__fl1__';

/** One payload may inflate to this much: some times what the longest reasoning of a turn takes. */
const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024;

/** All payloads of one request together. */
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;

/** No deflate stream inflates to more than this many times its own size (zlib's technical details). */
const MAX_DEFLATE_RATIO = 1032;

const DIALECTS: ReadonlySet<string> = new Set<DialectName>([
  'chat',
  'responses',
  'messages',
  'gemini',
  'converse',
]);

/** Whether the provider that made a reasoning part demands it back. */
export function isDemandedBack(part: ReasoningPart): boolean {
  return part.signature !== undefined || part.encrypted !== undefined;
}

/** The id that a client is given for a tool call; the id itself where there is nothing to carry. */
export function writeCarriedId(id: string, { reasoning, signature }: Carried): string {
  return writeAllCarried(id, {
    reasoning: reasoning.filter(isDemandedBack),
    ...(signature && { signature }),
  });
}

/** The same for a client that was shown none of it: texts without a proof travel too, where the provider takes them back. */
export function writeAllCarried(id: string, { reasoning, signature }: Carried): string {
  const demanded = reasoning.filter((part) => part.wantedBack || isDemandedBack(part));
  if (demanded.length === 0 && !signature) return id;
  const payload = {
    reasoning: demanded.map(({ text, signature, encrypted, extra }) => ({
      text,
      signature,
      encrypted,
      extra,
    })),
    signature,
  };
  return id + CARRIED_MARKER + deflateRawSync(JSON.stringify(payload)).toString('base64url');
}

/** Writes the ids of one turn's tool calls, going through its parts in order. */
export class CarriedIdWriter {
  #reasoning: ReasoningPart[] = [];

  addReasoning(part: ReasoningPart): void {
    this.#reasoning.push(part);
  }

  /** The id for the client. The reasoning since the previous call goes with this one. */
  write({ id, signature }: ToolCallPart): string {
    const reasoning = this.#reasoning;
    this.#reasoning = [];
    return writeCarriedId(id, signature ? { reasoning, signature } : { reasoning });
  }
}

/** Reads the carried ids of one request, each once, within the request's bound of inflated bytes. */
export class CarriedIdReader {
  readonly #read = new Map<string, { id: string; carried?: Carried }>();
  #bytesLeft = MAX_REQUEST_BYTES;

  /** The provider's own id, and what was carried. An id whose payload cannot be read is left as it came. */
  read(id: string): { id: string; carried?: Carried } {
    const at = id.lastIndexOf(CARRIED_MARKER);
    if (at === -1) return { id };
    const known = this.#read.get(id);
    if (known) return known;
    const carried = this.#inflate(id.slice(at + CARRIED_MARKER.length));
    const result = carried ? { id: id.slice(0, at), carried } : { id };
    this.#read.set(id, result);
    return result;
  }

  #inflate(payload: string): Carried | undefined {
    const limit = Math.min(MAX_PAYLOAD_BYTES, this.#bytesLeft);
    if (payload === '' || limit === 0) return undefined;
    let inflated: Buffer;
    try {
      inflated = inflateRawSync(Buffer.from(payload, 'base64url'), { maxOutputLength: limit });
    } catch {
      // Not ours, or cut short by the client, or a bomb. What may have been inflated in vain counts too.
      this.#bytesLeft -= Math.min(limit, payload.length * MAX_DEFLATE_RATIO);
      return undefined;
    }
    this.#bytesLeft -= inflated.length;
    return readCarried(tryParseJson(inflated.toString('utf8')));
  }
}

function readCarried(value: JsonValue | undefined): Carried | undefined {
  if (!isObject(value) || !Array.isArray(value['reasoning'])) return undefined;
  const reasoning: ReasoningPart[] = [];
  for (const item of value['reasoning']) {
    const part = isObject(item) ? readReasoning(item) : undefined;
    if (!part) return undefined;
    reasoning.push(part);
  }
  const signature = readSignature(value['signature']);
  if (reasoning.length === 0 && !signature) return undefined;
  return signature ? { reasoning, signature } : { reasoning };
}

function readReasoning(item: JsonObject): ReasoningPart | undefined {
  const { text } = item;
  if (typeof text !== 'string') return undefined;
  const part: ReasoningPart = { type: 'reasoning', text };
  const signature = readSignature(item['signature']);
  const encrypted = readSignature(item['encrypted']);
  const extra = encrypted && readCarriedExtra(item['extra'], encrypted);
  if (signature) part.signature = signature;
  if (encrypted) part.encrypted = encrypted;
  if (extra) part.extra = extra;
  return text !== '' || isDemandedBack(part) ? part : undefined;
}

function readSignature(value: JsonValue | undefined): Signature | undefined {
  if (!isObject(value) || typeof value['value'] !== 'string') return undefined;
  const dialect = readDialect(value['dialect']);
  return dialect && { dialect, value: value['value'] };
}

function readDialect(value: JsonValue | undefined): DialectName | undefined {
  return typeof value === 'string' && DIALECTS.has(value) ? (value as DialectName) : undefined;
}
