import { skipSpace } from '../dialects/json-bytes.ts';
import { type FieldSpan, readKey, skipValue, spliceBody, walkFields } from '../dialects/request-fields.ts';
import { rewriteBody } from './body-fields.ts';

const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const SCOPE_WORD = Buffer.from('"scope"');

/** What holds blocks, in a request and in blocks themselves; what a tool is called with, and its schema, are no such things. */
const HOLDERS: ReadonlySet<string> = new Set(['system', 'tools', 'messages', 'content', 'source']);

/** Blocks stand in blocks of blocks at most (a document in a result, with blocks of its own). */
const MOST_HOLDERS = 8;

/**
 * A body in Anthropic's dialect whose hints to cache have no `scope`; `undefined` where none has one. All other bytes stay.
 *
 * Source: Anthropic's API reference, "Create a Message" (where `cache_control` stands).
 */
export function withoutScopes(body: Buffer): Buffer | undefined {
  if (!body.includes(SCOPE_WORD)) return undefined;
  const hints: FieldSpan[] = [];
  findHints(body, skipSpace(body, 0), 0, hints);
  const edits = hints.flatMap((span) => {
    const hint = body.subarray(span.start, span.end);
    const left = rewriteBody(hint, { scope: undefined });
    return left === hint ? [] : [{ span, text: left.toString('utf8') }];
  });
  return edits.length === 0 ? undefined : spliceBody(body, edits);
}

/** Of the value at `start`, in their order. */
function findHints(body: Buffer, start: number, depth: number, hints: FieldSpan[]): void {
  if (depth > MOST_HOLDERS) return;
  if (body[start] === OPEN_BRACKET) findInList(body, start, depth, hints);
  else if (body[start] === OPEN_BRACE) findInObject(body, start, depth, hints);
}

function findInList(body: Buffer, start: number, depth: number, hints: FieldSpan[]): void {
  let at = skipSpace(body, start + 1);
  while (at < body.length && body[at] !== CLOSE_BRACKET) {
    findHints(body, at, depth, hints);
    at = skipSpace(body, skipValue(body, at));
    if (body[at] === COMMA) at = skipSpace(body, at + 1);
  }
}

function findInObject(body: Buffer, start: number, depth: number, hints: FieldSpan[]): void {
  const object = body.subarray(start, skipValue(body, start));
  walkFields(object, (quote, keyEnd, from) => {
    const end = skipValue(object, from);
    const key = readKey(object, quote, keyEnd);
    if (HOLDERS.has(key)) findHints(body, start + from, depth + 1, hints);
    else if (key === 'cache_control' && object[from] === OPEN_BRACE)
      hints.push({ start: start + from, end: start + end });
    return end;
  });
}
