import type { JsonValue } from '../conversation/json.ts';
import { skipSpace, skipSpaceBack } from '../dialects/json-bytes.ts';
import { type FieldSpan, findTopLevelFields, spliceBody } from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;

/**
 * A JSON body with top-level fields set, or taken out where they are `undefined`; all other bytes stay as they are.
 * The fields' names are ASCII.
 *
 * @throws GatewayError `invalid_request` where the body is not a JSON object, or a field stands in it twice.
 */
export function rewriteBody(body: Buffer, fields: Readonly<Record<string, JsonValue | undefined>>): Buffer {
  let rewritten = body;
  for (const [name, value] of Object.entries(fields)) rewritten = rewriteField(rewritten, name, value);
  return rewritten;
}

/** By the name that is looked for; of these there are as many as declarations set. */
const TABLES = new Map<string, WordTable>();

function tableOf(name: string): WordTable {
  const known = TABLES.get(name);
  if (known) return known;
  const table = new WordTable([name]);
  TABLES.set(name, table);
  return table;
}

function rewriteField(body: Buffer, name: string, value: JsonValue | undefined): Buffer {
  const span = findTopLevelFields(body, tableOf(name))[name];
  if (value === undefined)
    return span ? spliceBody(body, [{ span: memberAround(body, span), text: '' }]) : body;
  const text = JSON.stringify(value);
  if (span) return spliceBody(body, [{ span, text }]);
  const first = body.indexOf('{') + 1;
  const comma = body[skipSpace(body, first)] === CLOSE_BRACE ? '' : ',';
  return spliceBody(body, [
    { span: { start: first, end: first }, text: `${JSON.stringify(name)}:${text}${comma}` },
  ]);
}

/** The whole member that a value belongs to: its key, its value, and the comma that parts it from the others. */
function memberAround(body: Buffer, { start, end }: FieldSpan): FieldSpan {
  const colon = skipSpaceBack(body, start - 1);
  const keyStart = findOpeningQuote(body, skipSpaceBack(body, colon - 1));
  const after = skipSpace(body, end);
  if (body[after] === COMMA) return { start: keyStart, end: after + 1 };
  const before = skipSpaceBack(body, keyStart - 1);
  return { start: body[before] === COMMA ? before : keyStart, end };
}

function findOpeningQuote(body: Buffer, closing: number): number {
  let at = closing - 1;
  for (;;) {
    while (body[at] !== QUOTE) at--;
    let backslashes = 0;
    while (body[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
    at--;
  }
}
