import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';
import { beginsText, hasValue } from '../json-bytes.ts';
import type { MadeIds } from '../pass-through.ts';
import { messagesIn, readMessage, textIn } from './proto.ts';

/**
 * Tokens by which a later request has an answer go on that came to the limit of one request.
 *
 * Source: the official SDK (`Candidate.continuationToken`, `FinishReason.CONTINUATION`).
 */
const KEY = Buffer.from('"continuationToken"');

export function continuationIn(candidate: JsonObject): string | undefined {
  const token = textIn(candidate, 'continuationToken');
  return token === '' ? undefined : token;
}

export function madeContinuations(continuations: string[]): MadeIds {
  return { items: [], containers: [], continuations };
}

export function madeIds(answer: JsonObject): MadeIds {
  const tokens = messagesIn(readMessage(answer), 'candidates').map(continuationIn);
  return madeContinuations(tokens.filter((token) => token !== undefined));
}

/** The same for a whole answer; nearly all have none, and are not parsed. */
export function readMadeIds(body: Buffer): MadeIds | 'broken' | undefined {
  if (!hasValue(body, KEY, beginsText)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  return isObject(answer) ? madeIds(answer) : 'broken';
}
