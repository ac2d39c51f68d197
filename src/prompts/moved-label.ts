import type { JsonObject } from '../conversation/json.ts';
import { RolloutRefusal } from '../rollouts/act.ts';
import { authorOf, leadOf } from '../rollouts/label-lead.ts';
import type { NumberedRelease } from '../rollouts/release.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import { findMovedVersions } from './moved-versions.ts';
import type { PromptBook } from './prompt-book.ts';
import type { PromptKeeper } from './prompt-keeper.ts';
import type { PromptVersion } from './versions.ts';

/** The label of a prompt, as a rollout moves it. */
export interface MovedLabel {
  prompt: string;
  label: string;
}

/**
 * What a rollout moves a label from and to when it begins. `stable`, `candidate`: as the config says them, `version` with `NAME@VERSION`.
 *
 * @param nowMs Unix milliseconds
 * @throws RolloutRefusal `prompt_version`
 */
export function releasesOfLabel(
  prompts: Pick<PromptBook, 'record'>,
  moves: MovedLabel,
  { stable, candidate }: { stable: JsonObject; candidate: JsonObject },
  nowMs: number,
): { stable: NumberedRelease; candidate: NumberedRelease } {
  const wanted = { ...moves, stable: String(stable['version']), candidate: String(candidate['version']) };
  const found = findMovedVersions(prompts, wanted, nowMs);
  if (typeof found === 'string') throw new RolloutRefusal('prompt_version', found);
  return { stable: releaseOf(found.stable), candidate: releaseOf(found.candidate) };
}

function releaseOf({ name, number, hash }: PromptVersion): NumberedRelease {
  return { number, release: { version: `${name}@${number}`, hash } };
}

/** Has a label point where its rollout has ended, unless somebody else has moved it meanwhile. */
export async function endLabelMove(
  keeper: Pick<PromptKeeper, 'lead'>,
  { prompt, label }: MovedLabel,
  rollout: Pick<Rollout, 'spec' | 'progress' | 'origin'>,
): Promise<void> {
  await keeper.lead(prompt, label, (pointer) => leadOf(rollout, pointer), authorOf(rollout.spec.name));
}
