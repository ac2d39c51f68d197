import { z } from 'zod';
import { expectation } from '../../config/explain.ts';
import { formatPath } from '../../config/path.ts';
import { ConfigError, type ConfigProblem } from '../../config/problem.ts';
import { type GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isDeeperThan, isObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { decodeUtf8 } from '../../conversation/utf8.ts';
import { badUtf8, MAX_JSON_DEPTH } from '../../dialects/request-fields.ts';

export { parseQuery } from '../../usage/query-string.ts';

/** The body's JSON; an empty object where there is no body and none is needed. */
export function readBody(body: unknown, isNeeded = false): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) {
    if (isNeeded) throw invalidRequest('There is no body: write {} for a configuration that says nothing.');
    return {};
  }
  const text = decodeUtf8(body);
  if (text === undefined) throw badUtf8(body);
  const value = tryParseJson(text);
  if (value === undefined) throw invalidRequest('The request body is not valid JSON.');
  if (isDeeperThan(value, MAX_JSON_DEPTH)) {
    throw invalidRequest(`The request body is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  }
  // Keys may be written with escapes: the text does not show them.
  if (text.includes(PROTO) || text.includes('\\u')) refuseProto(value, []);
  return value;
}

/** As a name it is none to the language's own objects: what is checked would not be what is stored. The config file refuses it, too. */
const PROTO = '__proto__';

function refuseProto(value: JsonValue, path: (string | number)[]): void {
  if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) refuseProto(entry, [...path, index]);
  } else if (isObject(value)) {
    for (const [key, entry] of Object.entries(value)) {
      const at = [...path, key];
      if (key === PROTO)
        throw invalidRequest(`'${formatPath(at)}': __proto__ is no name that can be used.`, formatPath(at));
      if (entry !== undefined) refuseProto(entry, at);
    }
  }
}

/** @throws GatewayError `invalid_request` with the path of the first thing that is wrong */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body, { error: expectation });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const path = formatPath([...issue.path.map(stepOf), issue.keys[0] ?? '']);
    throw invalidRequest(`'${path}' is no field here.`, path, 'unknown_field');
  }
  const path = formatPath((issue?.path ?? []).map(stepOf));
  throw invalidRequest(`${path === '' ? 'The body' : `'${path}'`}: expected ${issue?.message}.`, path);
}

function stepOf(step: PropertyKey): string | number {
  return typeof step === 'number' ? step : String(step);
}

const MAX_PAGE = 1_000;
const wholeNumber = (least: number, most: number) =>
  z
    .string({ error: 'give it once' })
    .regex(/^\d{1,15}$/, { error: `give a whole number from ${least} to ${most}` })
    .transform(Number)
    .refine((value) => value >= least && value <= most, {
      error: `give a whole number from ${least} to ${most}`,
    });

/** The parameters of every list. A cursor is the `nextCursor` of the page before. */
export const pageQuery = z.strictObject({
  limit: wholeNumber(1, MAX_PAGE).default(100).describe('The most entries on a page.'),
  cursor: z
    .string({ error: 'give it once' })
    .min(1, { error: "give the 'nextCursor' of the page before" })
    .optional()
    .describe("The 'nextCursor' of the page before."),
});

/** The page behind a cursor of a list in a fixed order; the cursor is the last name of the page before. */
export function pageOf<T>(
  entries: readonly T[],
  nameOf: (entry: T) => string,
  { limit, cursor }: z.output<typeof pageQuery>,
): { page: T[]; nextCursor: string | null } {
  const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
  const from = after === undefined ? 0 : entries.findIndex((entry) => nameOf(entry) > after);
  const page = from === -1 ? [] : entries.slice(from, from + limit);
  const last = page.at(-1);
  const isMore = last !== undefined && from + limit < entries.length;
  return { page, nextCursor: isMore ? Buffer.from(nameOf(last)).toString('base64url') : null };
}

/**
 * What is wrong with a configuration, for the one who wanted it. Paths below `prefix` are those of the body.
 *
 * @param error anything: what is no ConfigError is given back as it is
 */
export function tellConfigError(error: unknown, prefix = ''): unknown {
  if (!(error instanceof ConfigError)) return error;
  return refuse(error.problems, prefix);
}

const MOST_TOLD = 20;

function refuse(problems: readonly ConfigProblem[], prefix: string): GatewayError {
  const told = problems.slice(0, MOST_TOLD).map((problem) => {
    const path = withoutPrefix(problem.path, prefix);
    // What is not of the body names whose it is.
    const owner = path === problem.path && prefix !== '' ? ` (${problem.file})` : '';
    return path === '' ? problem.message : `${path}${owner}: ${problem.message}`;
  });
  const more = problems.length > MOST_TOLD ? `; and ${problems.length - MOST_TOLD} more` : '';
  const isConflict = problems.some(({ message }) => message.startsWith('is declared by both'));
  const first = withoutPrefix(problems[0]?.path ?? '', prefix);
  const message = `${told.join('; ')}${more}`;
  return invalidRequest(
    /[.?]$/.test(message) ? message : `${message}.`,
    first === '' ? undefined : first,
    isConflict ? 'declared_by_both' : 'invalid_configuration',
  );
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === '' || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  return rest === '' || rest.startsWith('.') || rest.startsWith('[') ? rest.replace(/^\./, '') : path;
}
