import { chat } from '../dialects/chat/index.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { gemini } from '../dialects/gemini/index.ts';
import { messages } from '../dialects/messages/index.ts';
import { type KeyHolder, queryValue, readAnthropicKey, readBearer, readGoogleKey } from './credentials.ts';

const GOOGLE_PATH = /^\/v1(?:beta|alpha)\b/;

/** The dialect of a caller whose URL does not tell it: `/v1/models` is a path of three, and so is a mistyped one. */
export function guessDialect({ headers, url, query }: KeyHolder): Dialect {
  if (headers['anthropic-version'] !== undefined) return messages;
  const isGoogle =
    headers['x-goog-api-key'] !== undefined ||
    GOOGLE_PATH.test(url) ||
    queryValue(query, 'key') !== undefined;
  return isGoogle ? gemini : chat;
}

const READ_KEY: Partial<Record<Dialect['name'], (request: KeyHolder) => string | undefined>> = {
  messages: readAnthropicKey,
  gemini: readGoogleKey,
};

/** The key of such a caller, where its dialect's clients put it. */
export function readGuessedKey(request: KeyHolder): string | undefined {
  const readKey = READ_KEY[guessDialect(request).name];
  return readKey ? readKey(request) : readBearer(request.headers);
}
