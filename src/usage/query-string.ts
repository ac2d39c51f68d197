import { z } from 'zod';
import { DATE_PATTERN, parseDate } from '../config/units.ts';
import { ERROR_KINDS, type ErrorKind, invalidRequest } from '../conversation/gateway-error.ts';
import { decodeCursor } from './cursor.ts';
import { STANDARD_TIER } from './filters.ts';
import { GROUPINGS } from './queries.ts';

/** The queries of `queries.ts` as query strings and command lines write them. */

const MAX_PAGE = 1_000;
export const DEFAULT_PAGE = 100;

const OUTCOMES = ['ok', 'failed', 'interrupted', ...(Object.keys(ERROR_KINDS) as ErrorKind[])] as const;

/** A parameter that is given twice arrives as an array, and is refused like everything that is no text. */
function text(expected: string) {
  return z.string({ error: `give it once, as ${expected}` }).min(1, { error: `give ${expected}` });
}

function moment() {
  const expected =
    'a day such as 2027-01-31 (its first moment, UTC) or a moment such as 2027-01-31T12:00:00Z';
  return text(expected)
    .regex(DATE_PATTERN, { error: `give ${expected}` })
    .transform((value, context) => {
      const parsed = parseDate(value);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: 'the calendar does not have this day' });
      return z.NEVER;
    });
}

const FILTERS = {
  from: moment().optional().describe('Calls that began then or later.'),
  to: moment().optional().describe('Calls that began before then.'),
  tenant: text("a tenant's name").optional().describe('Calls of this tenant.'),
  key: text("a key's name").optional().describe('Calls with the key of this name.'),
  model: text('a model').optional().describe('Calls of this model, named as the client did.'),
  target: text('a target').optional().describe('Calls that this target answered: provider/model-version.'),
  tier: text('a tier')
    .optional()
    .describe(`Calls that were served in this tier (priority, flex, …); ${STANDARD_TIER}: those in none.`),
  prompt: text('a prompt')
    .optional()
    .describe('Calls of this prompt: NAME in all its versions, NAME@VERSION in one.'),
  outcome: z
    .enum(OUTCOMES, { error: `give one of ${OUTCOMES.join(', ')}` })
    .optional()
    .describe('Calls that ended so; failed: all but ok.'),
};

function inOrder({ from, to }: { from?: number | undefined; to?: number | undefined }): boolean {
  return from === undefined || to === undefined || from < to;
}
const NOT_IN_ORDER = { path: ['to'], error: "give a moment after 'from'" };

const groupings = z
  .string({ error: `give it once, as a list of ${GROUPINGS.join(', ')}` })
  .transform((value) => value.split(',').map((entry) => entry.trim()))
  .pipe(z.array(z.enum(GROUPINGS, { error: `give a list of ${GROUPINGS.join(', ')}` })));

/** Gives a `UsageQuery`. */
export const usageQuerySchema = z
  .strictObject({
    ...FILTERS,
    by: groupings.optional().describe('What to sum by, e.g. tenant,day; one sum of everything where absent.'),
  })
  .refine(inOrder, NOT_IN_ORDER)
  .transform(({ by, ...filters }) => ({ ...filters, groupBy: by ?? [] }));

/** Gives a `CallsQuery`, its limit where one was asked for. */
export const callsQuerySchema = z
  .strictObject({
    ...FILTERS,
    rollout: text("a rollout's name").optional().describe('Calls that this rollout had a say in.'),
    side: z
      .enum(['stable', 'candidate'], { error: 'give stable or candidate' })
      .optional()
      .describe('Those on this side of the rollout.'),
    limit: text('a whole number')
      .regex(/^\d{1,9}$/, { error: `give a whole number from 1 to ${MAX_PAGE}` })
      .transform(Number)
      .refine((limit) => limit >= 1 && limit <= MAX_PAGE, {
        error: `give a whole number from 1 to ${MAX_PAGE}`,
      })
      .optional()
      .describe(`The most calls on a page; ${DEFAULT_PAGE} where absent.`),
    cursor: text("the 'nextCursor' of the page before")
      .transform((value, context) => {
        const cursor = decodeCursor(value);
        if (cursor) return cursor;
        context.addIssue({ code: 'custom', message: "give the 'nextCursor' of the page before, unchanged" });
        return z.NEVER;
      })
      .optional()
      .describe("The 'nextCursor' of the page before."),
  })
  .refine(inOrder, NOT_IN_ORDER)
  .refine(({ rollout, side }) => side === undefined || rollout !== undefined, {
    path: ['side'],
    error: "give the 'rollout' that it is a side of, too",
  });

/**
 * Parses query parameters by one of the schemas here.
 *
 * @throws GatewayError `invalid_request` naming the first parameter that is wrong.
 */
export function parseQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    throw invalidRequest(`'${name}' is no parameter here.`, name, 'unknown_parameter');
  }
  const name = String(issue?.path[0] ?? '');
  throw invalidRequest(`'${name}': ${issue?.message}.`, name);
}
