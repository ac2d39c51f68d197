import type { JsonValue } from '../conversation/json.ts';
import { skipSpace, skipSpaceBack } from '../dialects/json-bytes.ts';
import {
  type FieldPlace,
  type FieldSpan,
  findTopLevelFields,
  spliceBody,
} from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';

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
function memberAround(body: Buffer, { key, end }: FieldPlace): FieldSpan {
  const after = skipSpace(body, end);
  if (body[after] === COMMA) return { start: key, end: after + 1 };
  const before = skipSpaceBack(body, key - 1);
  return { start: body[before] === COMMA ? before : key, end };
}
