import { isObject, type JsonObject } from '../conversation/json.ts';
import type { CallAddress } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { UsageRecord } from '../usage/record.ts';
import { MESSAGES } from './anthropic-doors.ts';
import { GENERATE } from './gemini-doors.ts';
import { CHAT_COMPLETIONS, COMPLETIONS } from './openai-doors.ts';
import { RESPONSES } from './responses-doors.ts';

/** Where and as what a body is sent. */
export interface Addressed {
  door: Door;
  body: JsonObject;
  address?: CallAddress;
}

const DOORS = new Map<string, Door>([
  ['/v1/chat/completions', CHAT_COMPLETIONS],
  ['/v1/completions', COMPLETIONS],
  ['/v1/responses', RESPONSES],
  ['/v1/messages', MESSAGES],
]);

/** The paths that generate, as a message to the user names them. */
export const GENERATION_PATHS = [...DOORS.keys(), '/v1beta/models/MODEL:generateContent'];

const GEMINI_PATH = /^\/v1(?:beta|alpha)?\/models\/[^:]+:(generateContent|streamGenerateContent)$/;

/** A body as one of a model, at the door of a path; `undefined` where the path has none that generates. */
export function addressBody(path: string, body: JsonObject, model: string): Addressed | undefined {
  const door = DOORS.get(path);
  if (door) return { door, body: { ...body, model } };
  const [, method] = GEMINI_PATH.exec(path) ?? [];
  if (method === undefined) return undefined;
  return { door: GENERATE, body, address: { model, stream: method === 'streamGenerateContent' } };
}

/** The same of a call that was made: its record says what its client spoke. */
export function addressCaptured(
  { dialect, stream }: Pick<UsageRecord, 'dialect' | 'stream'>,
  body: unknown,
  model: string,
): Addressed | undefined {
  if (!isObject(body as JsonObject)) return undefined;
  const request = body as JsonObject;
  switch (dialect) {
    case 'chat':
      return addressBody(`/v1/${request['messages'] ? 'chat/' : ''}completions`, request, model);
    case 'gemini':
      return { door: GENERATE, body: request, address: { model, stream } };
    case 'converse':
      return undefined;
    default:
      return addressBody(`/v1/${dialect}`, request, model);
  }
}
