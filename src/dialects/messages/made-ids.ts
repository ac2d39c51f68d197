import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { beginsObject, hasValue } from '../json-bytes.ts';
import type { MadeIds } from '../pass-through.ts';
import type { FieldSpans } from '../request-fields.ts';

const CONTAINER_KEY = Buffer.from('"container"');

/**
 * The container that tools ran in. Only at the answer's own top is it Anthropic's word: a tool's input is the model's.
 *
 * Source: Anthropic API reference (`container` of a message and of `message_delta`).
 */
export function madeContainer(container: JsonValue | undefined): MadeIds | undefined {
  const id = isObject(container) ? container['id'] : undefined;
  return typeof id === 'string' ? { items: [], containers: [id] } : undefined;
}

/**
 * The same, the thread that an answer to a request with `thread` can be continued by, and what later requests can be compared
 * with where one with `diagnostics` was sent.
 */
export function madeIds({ id, container }: JsonObject, spans: FieldSpans): MadeIds | undefined {
  const made = madeContainer(container);
  if (typeof id !== 'string' || !leavesItsId(spans)) return made;
  const left = spans['thread'] === undefined ? { compared: [id] } : { threads: [id] };
  return { items: [], containers: made?.containers ?? [], ...left };
}

function leavesItsId({ thread, diagnostics }: FieldSpans): boolean {
  return thread !== undefined || diagnostics !== undefined;
}

/** The same for a whole answer; nearly all make nothing, and are not parsed. */
export function readMadeIds(body: Buffer, spans: FieldSpans): MadeIds | 'broken' | undefined {
  if (!leavesItsId(spans) && !hasValue(body, CONTAINER_KEY, beginsObject)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  return isObject(answer) ? madeIds(answer, spans) : 'broken';
}
