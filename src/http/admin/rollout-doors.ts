import { GatewayError } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { COMMANDS, type Command, DRAFT, weightOf } from '../../rollouts/progress.ts';
import type { Rollout } from '../../rollouts/rollout-book.ts';
import { type AdminDoor, type AdminParts, door } from './admin-door.ts';
import { notFound } from './plan-entries.ts';

const SUMMARIES: Readonly<Record<Command, string>> = {
  start:
    'Begins a rollout with copies, where it has a shadow, else at its first step; one that was rolled back begins anew',
  pause: 'Holds a rollout at its step: its candidate keeps the users that it has',
  resume: 'Goes on with a rollout that is paused',
  promote: 'Ends a rollout with its candidate for everyone',
  rollback: 'Ends a rollout with its stable release for everyone, from the next call on',
};

/** Doors about where rollouts stand. What they are is said in the configuration. */
export const ROLLOUT_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/rollouts',
    role: 'viewer',
    summary: 'Where the rollouts of the configuration stand',
    handle: async ({ parts }) => ({
      body: { data: parts.rollouts.list().map((rollout) => describe(parts, rollout)) },
    }),
  }),
  door({
    method: 'GET',
    path: '/rollouts/:name/report',
    role: 'viewer',
    summary: 'What is known of a candidate: by gate, what both sides came to, and how sure a difference is',
    handle: async ({ parts, params: { name = '' } }) => {
      const rollout = findRollout(parts, name);
      const gates = parts.rollouts.evidenceOf(rollout).map(({ log, ...gate }) => ({
        ...gate,
        // As likely is so much against a candidate that is as good, at the most.
        chance: Math.min(1, Math.exp(-log)),
      }));
      return { body: { ...describe(parts, rollout), gates } };
    },
  }),
  ...COMMANDS.map((command) =>
    door({
      method: 'POST',
      path: `/rollouts/:name/${command}`,
      role: 'operator',
      summary: SUMMARIES[command],
      handle: async ({ parts, params: { name = '' }, author }) => {
        const rollout = findRollout(parts, name);
        try {
          await parts.rollouts.command(rollout, command, author);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          throw new GatewayError(
            'invalid_request',
            `The rollout '${name}' cannot ${command}: ${error.message}.`,
            {
              status: 409,
              code: 'rollout_phase',
            },
          );
        }
        return { body: describe(parts, rollout) };
      },
    }),
  ),
];

export function findRollout({ rollouts }: AdminParts, name: string): Rollout {
  const rollout = rollouts.list().find(({ spec }) => spec.name === name);
  if (!rollout) throw notFound('rollouts', name);
  return rollout;
}

function describe({ rollouts }: AdminParts, rollout: Rollout): JsonObject {
  const { name, plan, model, gates } = rollout.spec;
  const stored = rollouts.find(rollout);
  const { phase, step, since } = stored?.progress ?? DRAFT;
  return {
    ...{ name, model, phase, step: phase === 'draft' ? null : step + 1, steps: plan.steps.length },
    weight: weightOf(plan, stored?.progress ?? DRAFT),
    since: stored ? new Date(since).toISOString() : null,
    candidateCalls: stored?.evidence.candidates ?? 0,
    ...(gates.judge && { unreadScores: stored?.evidence.unreadScores ?? 0 }),
    reason: (stored?.reason as JsonObject | undefined) ?? null,
  };
}
