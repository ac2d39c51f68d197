import type { LoadedConfig } from '../config/load.ts';
import type { Release } from '../config/release.ts';
import { isObject } from '../conversation/json.ts';
import { type AdminConnection, AdminError } from './admin-client.ts';

/** The candidate of a rollout of a model. */
export interface RehearsedModel {
  model: string;
  release: Release;
}

/** The candidate of a rollout of a prompt. */
export interface RehearsedVersion {
  prompt: string;
  /** `NAME@VERSION`. */
  reference: string;
}

/** @throws AdminError where the configuration has no such rollout of a model */
export function findRehearsedModel({ config }: LoadedConfig, rollout: string): RehearsedModel {
  const said = Object.hasOwn(config.rollouts, rollout) ? config.rollouts[rollout] : undefined;
  if (!said) throw new AdminError(`the configuration has no rollout '${rollout}'`);
  const { model, move } = said;
  if (model === undefined || !move)
    throw new AdminError(
      `the rollout '${rollout}' moves a prompt, whose versions a running gateway has: give its --url`,
    );
  return { model, release: move.candidate.release };
}

/** @throws AdminError where the gateway has no such rollout of a prompt */
export async function findRehearsedVersion(
  admin: AdminConnection,
  rollout: string,
): Promise<RehearsedVersion> {
  const { standing } = await admin.ask('GET', `/rollouts/${encodeURIComponent(rollout)}`);
  const { prompt, candidate } = isObject(standing) ? standing : {};
  const reference = isObject(candidate) ? candidate['version'] : undefined;
  if (typeof prompt !== 'string' || typeof reference !== 'string')
    throw new AdminError(
      `the rollout '${rollout}' moves a model, which the tests' own gateway calls by its configuration: leave --url out`,
    );
  return { prompt, reference };
}
