import { z } from 'zod';
import { date, text } from '../../config/fields.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { PromptRefusal } from '../../prompts/deeds.ts';
import { diffVersions } from '../../prompts/diff-versions.ts';
import type { PromptWish } from '../../prompts/prompt-keeper.ts';
import {
  DRAFT,
  findVersion,
  PRODUCTION,
  type PromptRecord,
  type PromptVersion,
  stateOf,
  successorOf,
} from '../../prompts/versions.ts';
import { guardsLabel } from '../../rollouts/label-lead.ts';
import { type AdminDoor, type AdminParts, type AdminRequest, door } from './admin-door.ts';
import { pageOf, pageQuery } from './parse.ts';

const version = () =>
  z
    .union([z.int().min(1), text('a number, a label, or the beginning of a hash')])
    .transform(String)
    .describe('A number, a label, `draft`, or at least 8 digits of a hash.');
const label = () =>
  text('the name of a label').optional().describe(`What is to point at it; '${PRODUCTION}' where absent.`);

const publishSchema = z.strictObject({
  version: version().optional().describe('The draft where absent.'),
  label: label(),
});
const promoteSchema = z.strictObject({ version: version(), label: label() });
const retireSchema = z.strictObject({
  version: version().optional().describe('All versions where absent: the prompt ends.'),
  on: date().optional().describe('When it ends; until then it is deprecated. At once where absent.'),
  successor: text('NAME or NAME@VERSION').optional().describe('What to call instead.'),
});

/** Doors about the versions of prompts. Their texts are for operators: a viewer sees what there is. */
export const PROMPT_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/prompts',
    role: 'viewer',
    summary: 'All prompts, by name, with what their labels point at',
    query: pageQuery,
    handle: async ({ parts, query }) => {
      const { page, nextCursor } = pageOf(parts.prompts.records(), ({ name }) => name, query);
      return { body: { data: page.map(describeRecord), nextCursor } };
    },
  }),
  door({
    method: 'GET',
    path: '/prompts/:name',
    role: 'viewer',
    summary: 'One prompt, its versions and its labels',
    handle: async ({ parts, params: { name = '' } }) => ({ body: describeAll(findRecord(parts, name)) }),
  }),
  door({
    method: 'GET',
    path: '/prompts/:name/versions/:version',
    role: 'operator',
    summary: 'One version of a prompt, by its number, a label or its hash, with what it is made from',
    handle: async ({ parts, params: { name = '', version = '' } }) => {
      const record = findRecord(parts, name);
      const found = mustFind(record, version);
      return { body: { name, ...describeVersion(record, found), ...found.sources } };
    },
  }),
  door({
    method: 'GET',
    path: '/prompts/:name/diff',
    role: 'operator',
    summary: 'What two versions of a prompt differ in, as a unified diff',
    query: z.strictObject({
      from: z.string().optional().describe(`A number, a label or a hash; '${PRODUCTION}' where absent.`),
      to: z.string().optional().describe('The same; the draft where absent, or else the newest.'),
    }),
    handle: async ({ parts, params: { name = '' }, query }) => {
      const record = findRecord(parts, name);
      const from = mustFind(record, query.from ?? PRODUCTION);
      const newest = record.labels.has(DRAFT) ? DRAFT : String(record.versions.at(-1)?.number);
      const to = mustFind(record, query.to ?? newest);
      return { body: { name, from: from.number, to: to.number, diff: diffVersions(from, to) } };
    },
  }),
  door({
    method: 'POST',
    path: '/prompts/:name/publish',
    role: 'operator',
    summary: 'Puts a version in service, the draft where none is named, and has a label point at it',
    body: publishSchema,
    handle: (request) => command(request, { action: 'publish', ...request.body }),
  }),
  door({
    method: 'POST',
    path: '/prompts/:name/promote',
    role: 'operator',
    summary: 'Has a label point at a version that is published',
    body: promoteSchema,
    needsBody: true,
    handle: (request) => command(request, { action: 'promote', ...request.body }),
  }),
  door({
    method: 'DELETE',
    path: '/prompts/:name/labels/:label',
    role: 'operator',
    summary: `Takes a label away; without '${PRODUCTION}' the prompt's name alone is not callable, its versions are`,
    handle: (request) => command(request, { action: 'unlabel', label: request.params['label'] ?? '' }),
  }),
  door({
    method: 'POST',
    path: '/prompts/:name/retire',
    role: 'operator',
    summary: 'Ends a version, or the prompt, at once or on a day; calls get a 410 with the successor',
    body: retireSchema,
    handle: (request) => {
      const { version, on: at, successor } = request.body;
      return command(request, { action: 'retire', version, at, successor });
    },
  }),
];

async function command(
  { parts, params: { name = '' }, author }: AdminRequest<unknown, unknown>,
  wish: PromptWish,
): Promise<{ body: JsonObject }> {
  findRecord(parts, name);
  if (wish.action !== 'retire') await refuseGuarded(parts, name, wish.label ?? PRODUCTION);
  try {
    await parts.promptKeeper.command(name, wish, author);
  } catch (error) {
    if (!(error instanceof PromptRefusal)) throw error;
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
    if (error.code === 'version_not_found')
      throw new GatewayError('not_found', message, { code: error.code, param: 'version' });
    throw new GatewayError('invalid_request', message, { status: 409, code: error.code });
  }
  return { body: describeAll(findRecord(parts, name)) };
}

/** What takes a second person is not done by hand beside it; to roll back takes nobody. */
async function refuseGuarded({ rollouts }: AdminParts, prompt: string, label: string): Promise<void> {
  for (const rollout of rollouts.list()) {
    const { name, moves } = rollout.spec;
    if (!('prompt' in moves) || moves.prompt !== prompt || moves.label !== label) continue;
    // What another instance did just now counts, too.
    await rollouts.findNamed(name);
    if (!guardsLabel(rollout.spec, rollouts.find(rollout))) continue;
    throw new GatewayError(
      'invalid_request',
      `The label '${label}' of '${prompt}' is moved by the rollout '${name}', which takes a second person: promote that, or roll it back, first.`,
      { status: 409, code: 'rollout_under_way' },
    );
  }
}

function findRecord({ prompts }: AdminParts, name: string): PromptRecord {
  const record = prompts.record(name);
  if (record) return record;
  throw new GatewayError('not_found', `There is no prompt '${name}'.`, { code: 'not_found' });
}

function mustFind(record: PromptRecord, text: string): PromptVersion {
  const found = findVersion(record, text);
  if (found) return found;
  const message = `The prompt '${record.name}' has no version or label '${text}'.`;
  throw new GatewayError('not_found', message, { code: 'version_not_found' });
}

/** What a name alone means, and what there is beside it. */
function describeRecord(record: PromptRecord): JsonObject {
  const { name, versions, labels } = record;
  const production = findVersion(record, PRODUCTION);
  const shown = production ?? versions.at(-1);
  return {
    ...{ name, version: production?.number ?? null, state: shown ? stateOf(shown, Date.now()) : null },
    labels: Object.fromEntries([...labels.values()].map(({ label, number }) => [label, number])),
    versions: versions.length,
  };
}

/** Newest first. */
function describeAll(record: PromptRecord): JsonObject {
  const labels = [...record.labels.values()].map(({ label, number, movedAt, author }) => ({
    ...{ label, version: number, movedAt: new Date(movedAt).toISOString(), author },
  }));
  return {
    ...describeRecord(record),
    labels,
    versions: record.versions.toReversed().map((version) => describeVersion(record, version)),
  };
}

function describeVersion(record: PromptRecord, version: PromptVersion): JsonObject {
  const { number, hash, stateAt, retiresAt, createdAt, author } = version;
  const nowMs = Date.now();
  const state = stateOf(version, nowMs);
  const isEnding = state === 'deprecated' || state === 'retired';
  return {
    ...{ version: number, hash, state, since: new Date(stateAt).toISOString() },
    ...(isEnding && {
      retiresAt: new Date(retiresAt ?? stateAt).toISOString(),
      successor: successorOf(record, version, nowMs) ?? null,
    }),
    ...{ createdAt: new Date(createdAt).toISOString(), author },
  };
}
