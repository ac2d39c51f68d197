import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { findVersion, readReference } from '../../prompts/versions.ts';
import { type Action, RolloutRefusal } from '../../rollouts/act.ts';
import type { ApprovalRequest } from '../../rollouts/approval.ts';
import { COMMANDS, DRAFT, weightOf } from '../../rollouts/progress.ts';
import { describeRelease, hashRelease } from '../../rollouts/release.ts';
import type { KeptRelease } from '../../rollouts/release-store.ts';
import type { Moved, Rollout } from '../../rollouts/rollout-book.ts';
import { type AdminDoor, type AdminParts, door } from './admin-door.ts';
import { describeEntry } from './entry-doors.ts';
import { pageQuery } from './parse.ts';
import { notFound } from './plan-entries.ts';
import { releaseNotFound } from './rollout-entries.ts';

const SUMMARIES: Readonly<Record<Action, string>> = {
  start:
    'Begins a rollout with copies, where it has a shadow, else at its first step; one that was rolled back begins anew',
  pause: 'Holds a rollout at its step: its candidate keeps the users that it has',
  resume: 'Goes on with a rollout that is paused',
  promote: 'Ends a rollout with its candidate for everyone',
  rollback: 'Ends a rollout with its stable release for everyone, from the next call on',
  approve: 'Agrees to what somebody else wants: that a rollout is started, or promoted',
  reject: 'Says no to that, or takes back what one asked for',
};

const ACTIONS: readonly Action[] = [...COMMANDS, 'approve', 'reject'];

/** Doors about where rollouts stand. What they are is said in the configuration. */
export const ROLLOUT_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/rollouts',
    role: 'viewer',
    summary: 'Where the rollouts of the configuration stand',
    handle: async ({ parts }) => ({
      body: { data: parts.rollouts.list().map((rollout) => describeStanding(parts, rollout)) },
    }),
  }),
  door({
    method: 'GET',
    path: '/rollouts/:name',
    role: 'viewer',
    summary: 'One rollout, as it is configured, and where it stands (null where nothing moves it)',
    handle: async ({ parts, params: { name = '' } }) => {
      const entry = parts.control.layers.find('rollouts', name);
      if (!entry) throw notFound('rollouts', name);
      const rollout = parts.rollouts.list().find(({ spec }) => spec.name === name);
      const standing = rollout ? describeStanding(parts, rollout) : null;
      return { body: { ...describeEntry(entry), standing } };
    },
  }),
  door({
    method: 'GET',
    path: '/rollouts/:name/report',
    role: 'viewer',
    summary:
      'What is known of a candidate: by step and side what calls came to, by gate the verdict, and how sure it is',
    handle: async ({ parts, params: { name = '' } }) => {
      const rollout = findRollout(parts, name);
      const standing = describeStanding(parts, rollout);
      const report = await parts.rollouts.reportOf(rollout);
      // The report's steps are a list of those that there were.
      return { body: { ...standing, plannedSteps: rollout.spec.plan.steps.length, ...report } };
    },
  }),
  door({
    method: 'GET',
    path: '/models/:name/releases',
    role: 'viewer',
    summary: 'Every release that a model has stood on or was to move to, newest first',
    query: pageQuery,
    handle: async ({ parts, params: { name = '' }, query: { cursor, limit } }) => {
      const before = cursor === undefined ? undefined : readNumber(cursor);
      const found = await parts.releases.list(name, before, limit);
      if (found.length === 0 && !parts.control.layers.find('models', name)) throw notFound('models', name);
      const page = found.slice(0, limit);
      const current = currentReleases(parts, name);
      return {
        body: {
          data: page.map((release) => describeKept(release, current)),
          nextCursor: found.length > limit ? String(page.at(-1)?.number) : null,
        },
      };
    },
  }),
  door({
    method: 'GET',
    path: '/models/:name/releases/:number',
    role: 'viewer',
    summary: 'One release of a model',
    handle: async ({ parts, params: { name = '', number = '' } }) => {
      const release = RELEASE_NUMBER.test(number)
        ? await parts.releases.find(name, Number(number))
        : undefined;
      if (!release) throw releaseNotFound(name, number);
      return { body: describeKept(release, currentReleases(parts, name)) };
    },
  }),
  ...ACTIONS.map((action) =>
    door({
      method: 'POST',
      path: `/rollouts/:name/${action}`,
      role: 'operator',
      summary: SUMMARIES[action],
      handle: async ({ parts, params: { name = '' }, author }) => {
        const rollout = findRollout(parts, name);
        try {
          await parts.rollouts.command(rollout, action, author);
        } catch (error) {
          if (!(error instanceof RolloutRefusal)) throw error;
          throw refusal(name, error);
        }
        return { body: describeStanding(parts, rollout) };
      },
    }),
  ),
];

const RELEASE_NUMBER = /^[1-9]\d{0,8}$/;

function readNumber(cursor: string): number {
  if (RELEASE_NUMBER.test(cursor)) return Number(cursor);
  throw invalidRequest("'cursor': give the 'nextCursor' of the page before, unchanged.", 'cursor');
}

/** By their hashes, what a model stands on. */
function currentReleases({ control }: AdminParts, model: string): string[] {
  return control.config.models[model]?.targets.map(({ release }) => hashRelease(release)) ?? [];
}

function refusal(name: string, { code, message }: RolloutRefusal): GatewayError {
  const text = `The rollout '${name}' ${message}.`;
  return code === 'own_request'
    ? new GatewayError('forbidden', text, { code })
    : new GatewayError('invalid_request', text, { status: 409, code });
}

export function findRollout({ rollouts }: AdminParts, name: string): Rollout {
  const rollout = rollouts.list().find(({ spec }) => spec.name === name);
  if (!rollout) throw notFound('rollouts', name);
  return rollout;
}

/** `current`: by their hashes, what the model stands on. */
function describeKept({ hash, firstSeen, revision, ...release }: KeptRelease, current: readonly string[]) {
  return {
    ...describeRelease(release),
    ...{ hash, firstSeen: new Date(firstSeen).toISOString(), revision, current: current.includes(hash) },
  };
}

/** The number of a release of a draft, where that is known by now. */
function knownNumber(
  { releases, prompts }: AdminParts,
  moves: Moved,
  release: JsonObject,
): number | undefined {
  if ('model' in moves) return releases.known(moves.model, release);
  const { name, version = '' } = readReference(String(release['version']));
  const record = prompts.record(name);
  return record && findVersion(record, version)?.number;
}

/** Where a rollout stands. */
export function describeStanding(parts: AdminParts, rollout: Rollout): JsonObject {
  const { rollouts } = parts;
  const { name, plan, moves, stable, candidate } = rollout.spec;
  const stored = rollouts.find(rollout);
  const { phase, step, since } = stored?.progress ?? DRAFT;
  const { origin, approval } = stored ?? {};
  const describe = (side: 'stable' | 'candidate', release: JsonObject): JsonObject =>
    origin
      ? describeRelease(origin[side])
      : { release: knownNumber(parts, moves, release) ?? null, ...release };
  return {
    ...{ name, ...moves, phase, step: phase === 'draft' ? null : step + 1, steps: plan.steps.length },
    weight: weightOf(plan, stored?.progress ?? DRAFT),
    since: phase === 'draft' ? null : new Date(since).toISOString(),
    stable: describe('stable', stable),
    candidate: describe('candidate', candidate),
    candidateCalls: stored?.candidates ?? 0,
    reason: (stored?.reason as JsonObject | undefined) ?? null,
    approval: approval ? describeRequest(approval) : null,
  };
}

function describeRequest({ wants, by, at }: ApprovalRequest): JsonObject {
  return { wants, by, at: new Date(at).toISOString() };
}
