import { isObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { beginsObject, hasValue } from '../json-bytes.ts';
import type { MadeIds } from '../pass-through.ts';

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

/** The same for a whole answer; nearly all say that there is none, and are not parsed. */
export function readMadeIds(body: Buffer): MadeIds | 'broken' | undefined {
  if (!hasValue(body, CONTAINER_KEY, beginsObject)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  return isObject(answer) ? madeContainer(answer['container']) : 'broken';
}
