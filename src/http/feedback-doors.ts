import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { JsonObject } from '../conversation/json.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Feedback, FeedbackBook } from '../usage/feedback.ts';
import { authenticated, requireKey } from './access.ts';
import { objectSchema, toSchema } from './admin/open-api.ts';
import { parseBody, readBody } from './admin/parse.ts';
import { readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';

const MOST_COMMENT = 2_000;
/** What a score is called that is given no name. */
const DEFAULT_NAME = 'score';

const CALL = "the id of a call, as its answer has it in 'x-request-id'";
const SCORE = 'a number from 0, the worst, to 1, or true or false';
const NAME = 'up to 64 letters, digits, _, - and .';
const COMMENT = `text of at most ${MOST_COMMENT} characters without NUL`;

const feedbackBody = z.strictObject({
  call: z
    .string({ error: CALL })
    .min(1, { error: CALL })
    .max(100, { error: CALL })
    .describe("The call's id: 'x-request-id' of its answer."),
  score: z
    .union(
      [
        z.number({ error: SCORE }).min(0, { error: SCORE }).max(1, { error: SCORE }),
        z.boolean({ error: SCORE }),
      ],
      { error: SCORE },
    )
    .transform(Number)
    .describe('From 0, the worst, to 1; true is 1.'),
  name: z
    .string({ error: NAME })
    .regex(/^[\w.-]{1,64}$/, { error: NAME })
    .default(DEFAULT_NAME)
    .describe('What is scored. A later score of the same call and name takes the place of the one before.'),
  comment: z
    .string({ error: COMMENT })
    .max(MOST_COMMENT, { error: COMMENT })
    .refine((text) => !text.includes('\0'), { error: COMMENT })
    .nullish()
    .describe('What there is to say to it.'),
});

const PATH = '/v1/feedback';

/** Where a tenant says how good the answer to one of its calls was, by any of its keys. */
export function addFeedbackDoors(
  app: FastifyInstance,
  gateway: Gateway,
  lifecycle: Lifecycle,
  feedback: Pick<FeedbackBook, 'give'>,
): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: readGuessedKey });
    doors.post(PATH, async (request, reply) => {
      const { tenant, key } = authenticated(request.caller);
      const { call, score, name, comment = null } = parseBody(feedbackBody, readBody(request.body, true));
      const given = await feedback.give({ call, score, name, comment, tenant, key });
      return reply.code(given.isNew ? 201 : 200).send({ call, ...describeFeedback(given.feedback) });
    });
  });
}

/** As it is told. */
export function describeFeedback({ createdAt, updatedAt, ...said }: Feedback): JsonObject {
  return {
    ...said,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  };
}

/** The door in the OpenAPI description. */
export function describeFeedbackDoor(): Record<string, JsonObject> {
  const time = { type: 'string', format: 'date-time' };
  const answer = objectSchema({
    ...{ call: { type: 'string' }, name: { type: 'string' }, score: { type: 'number' } },
    ...{ comment: { type: ['string', 'null'] }, key: { type: 'string' }, createdAt: time, updatedAt: time },
  });
  const answered = (description: string) => ({
    description,
    content: { 'application/json': { schema: answer } },
  });
  const post = {
    summary: 'Says how good the answer to a call was',
    description: "Needs a key of the call's tenant.",
    security: [{ tenantKey: [] }],
    requestBody: { required: true, content: { 'application/json': { schema: toSchema(feedbackBody) } } },
    responses: {
      '201': answered('Taken.'),
      '200': answered('Taken in the place of an earlier one.'),
      default: {
        description: 'What is wrong, and where.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
  return { [PATH]: { post } };
}
