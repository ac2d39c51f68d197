import { z } from 'zod';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { compileRegions } from '../../gateway/regions.ts';
import type { Rehearsed, RehearsedRequest } from '../../gateway/rehearsal.ts';
import type { Rollout } from '../../rollouts/rollout-book.ts';
import { findCaptured } from '../../usage/captured-calls.ts';
import { findCall } from '../../usage/find-call.ts';
import { type Addressed, addressBody, addressCaptured, GENERATION_PATHS } from '../generation-doors.ts';
import { type AdminDoor, type AdminParts, door } from './admin-door.ts';
import { findRollout } from './rollout-doors.ts';

/** The most calls that are named at once. */
const MOST_CALLS = 10_000;

/** What captures put in the place of what they cut (`captures/compose-capture.ts`). */
const CUT = /… \[\d+ characters cut\]/;

const limit = z
  .string()
  .regex(/^\d{1,5}$/, { error: `give a whole number, at most ${MOST_CALLS}` })
  .transform((text) => Math.min(Number(text), MOST_CALLS))
  .default(0)
  .describe('So many captured calls of its model are named, the newest; none where absent.');

const request = z.union(
  [
    z.strictObject({ call: z.string() }),
    z.strictObject({
      url: z.string().default('/v1/chat/completions'),
      body: z.record(z.string(), z.unknown()).transform((body) => body as JsonObject),
    }),
  ],
  { error: 'give { call: ID } of a captured call, or { url, body }' },
);

/** To try a candidate before any user meets it. */
export const REHEARSAL_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/rollouts/:name/rehearsal',
    role: 'operator',
    summary: 'What a rehearsal goes by: the limits of the gates, and captured calls of the model',
    query: z.strictObject({ limit }),
    handle: async ({ parts, params: { name = '' }, query }) => {
      const rollout = findRollout(parts, name);
      const model = modelOf(rollout);
      const { gates } = rollout.spec;
      const calls = await findCaptured(parts.store, { model, limit: query.limit, nowMs: Date.now() });
      return { body: { limits: gates, calls } };
    },
  }),
  door({
    method: 'POST',
    path: '/rollouts/:name/rehearsal',
    role: 'operator',
    summary:
      'Makes one call again at the candidate, and at the stable where it is not known how that answered it: what both came to',
    body: request,
    handle: async ({ parts, params: { name = '' }, body }) => {
      const rollout = findRollout(parts, name);
      return { body: await rehearse(parts, rollout, body) };
    },
  }),
];

/** Of calls of a prompt the input is not kept, which another version would make another request of. */
function modelOf({ spec: { name, moves } }: Rollout): string {
  if ('model' in moves) return moves.model;
  const advice = `try it with 'fairlead prompts test --rehearse ${name} --url …', or call '${moves.prompt}@VERSION'`;
  throw invalidRequest(
    `The rollout '${name}' moves a prompt, and only those of models are rehearsed: ${advice}.`,
  );
}

async function rehearse(
  parts: AdminParts,
  rollout: Rollout,
  asked: z.output<typeof request>,
): Promise<Rehearsed> {
  const model = modelOf(rollout);
  if ('call' in asked) {
    const captured = await readCaptured(parts, asked.call, model);
    return 'skipped' in captured ? captured : parts.rehearsal.rehearse(model, captured);
  }
  const addressed = addressBody(asked.url, asked.body, model);
  if (!addressed) throw invalidRequest(`'url' is one of ${GENERATION_PATHS.join(', ')}.`, 'url');
  return parts.rehearsal.rehearse(model, written(addressed));
}

async function readCaptured(
  { store, control }: AdminParts,
  id: string,
  model: string,
): Promise<RehearsedRequest | { skipped: string }> {
  const found = await findCall(store, id, Date.now());
  if (!found?.capture) return { skipped: 'nothing is kept of it' };
  const { capture, ...record } = found;
  const addressed = addressCaptured(record, capture.request, model);
  if (!addressed || capture.truncated) return { skipped: 'its request is not kept whole' };
  const ofTenant = control.config.tenants[record.tenant ?? ''];
  const again = { ...written(addressed), regions: compileRegions(ofTenant?.regions) };
  if (CUT.test(again.body.toString('utf8'))) return { skipped: 'its request is not kept whole' };
  const { response } = capture;
  return isObject(response ?? undefined)
    ? { ...again, answered: { record, response: response as JsonObject } }
    : again;
}

function written({ door, body, address }: Addressed): RehearsedRequest {
  return { door, body: Buffer.from(JSON.stringify(body)), address };
}
