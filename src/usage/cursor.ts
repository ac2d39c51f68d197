import { z } from 'zod';
import { tryParseJson } from '../conversation/json.ts';

/** A place in the list of calls: right after this one. */
export interface CallCursor {
  startedAt: number;
  id: string;
}

const cursorSchema = z.tuple([z.int(), z.string()]);

/** The cursor as callers pass it back: they are not to read anything into it. */
export function encodeCursor({ startedAt, id }: CallCursor): string {
  return Buffer.from(JSON.stringify([startedAt, id])).toString('base64url');
}

/** `undefined` where the text is no cursor of ours. */
export function decodeCursor(text: string): CallCursor | undefined {
  const parsed = cursorSchema.safeParse(tryParseJson(Buffer.from(text, 'base64url').toString()));
  if (!parsed.success) return undefined;
  const [startedAt, id] = parsed.data;
  return { startedAt, id };
}
