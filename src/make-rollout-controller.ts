import type { ControlNews, NewsLog } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { ownPlacesOf, RolloutPromotion } from './control/rollout-promotion.ts';
import type { JsonObject } from './conversation/json.ts';
import type { Snapshot } from './gateway/snapshot.ts';
import { findMovedVersions } from './prompts/moved-versions.ts';
import type { PromptBook } from './prompts/prompt-book.ts';
import type { PromptKeeper } from './prompts/prompt-keeper.ts';
import type { PromptVersion } from './prompts/versions.ts';
import { RolloutRefusal } from './rollouts/act.ts';
import { RolloutController } from './rollouts/controller.ts';
import { authorOf, leadOf } from './rollouts/label-lead.ts';
import type { NumberedRelease } from './rollouts/release.ts';
import { ReleaseLog, type StandingReleases } from './rollouts/release-log.ts';
import { ReleaseStore } from './rollouts/release-store.ts';
import type { Rollout, RolloutBook } from './rollouts/rollout-book.ts';
import { RolloutStore } from './rollouts/rollout-store.ts';
import type { Store } from './store/store.ts';
import { tellApproval, tellShortOfCalls, tellTransition } from './tell-problems.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** What moves rollouts on, with what follows from their transitions: events, revisions of the models that they moved, and labels of prompts. */
export function makeRolloutController({
  store,
  control,
  news,
  log,
  book,
  prompts,
  promptKeeper,
  snapshot,
}: {
  store: Store;
  control: ControlPlane;
  news: ControlNews;
  log: NewsLog;
  book: RolloutBook;
  prompts: PromptBook;
  promptKeeper: PromptKeeper;
  /** Of the configuration in force. */
  snapshot(): Pick<Snapshot, 'rollouts' | 'promptRollouts'>;
}): { rolloutController: RolloutController; releases: ReleaseStore } {
  const releases = new ReleaseStore(store, Date.now);
  const promotion = new RolloutPromotion({ control, news, log });
  const releaseLog = new ReleaseLog(releases, () => standingReleases(control));
  const rolloutController = new RolloutController({
    ...{ store: new RolloutStore(store), book },
    rollouts: () => listRollouts(snapshot()),
    releasesOf: async ({ moves, stable, candidate }) => {
      if ('prompt' in moves) {
        const wanted = {
          ...moves,
          stable: String(stable['version']),
          candidate: String(candidate['version']),
        };
        const found = findMovedVersions(prompts, wanted, Date.now());
        if (typeof found === 'string') throw new RolloutRefusal('prompt_version', found);
        return { stable: releaseOfVersion(found.stable), candidate: releaseOfVersion(found.candidate) };
      }
      const number = async (release: JsonObject) => ({
        number: await releases.numberOf(moves.model, release, control.revision),
        release,
      });
      return { stable: await number(stable), candidate: await number(candidate) };
    },
    ownPlacesOf: ({ moves, stable, candidate }) =>
      'model' in moves ? ownPlacesOf(control.layers, moves.model, stable, candidate) : undefined,
    noteReleases: () => releaseLog.note(),
    onTransition: (rollout, from, stored, report) => tellTransition(news, rollout, from, stored, report),
    onEnd: (rollout, { progress, origin }, isNews) => {
      const { name, moves } = rollout.spec;
      if ('prompt' in moves) {
        if (origin) void moveLabel({ promptKeeper, log }, { spec: rollout.spec, progress, origin });
        return;
      }
      const stable = origin?.stable.release ?? rollout.spec.stable;
      const candidate = origin?.candidate.release ?? rollout.spec.candidate;
      const end = progress.phase === 'promoted' ? 'promoted' : 'rolled_back';
      void promotion.write(
        { name, model: moves.model, end, stable, candidate, ownPlaces: origin?.ownPlaces },
        isNews,
      );
    },
    onShortOfCalls: (rollout, stored) => tellShortOfCalls(news, rollout, stored),
    onApproval: (rollout, approval) => tellApproval(news, rollout, approval),
    onFailure: (err) => log.error({ err }, 'the store says nothing of rollouts: they stand still'),
    now: Date.now,
    schedule: scheduleTimeout,
  });
  return { rolloutController, releases };
}

function listRollouts({
  rollouts,
  promptRollouts,
}: Pick<Snapshot, 'rollouts' | 'promptRollouts'>): Rollout[] {
  return [...rollouts.values(), ...promptRollouts.values()].map(({ rollout }) => rollout);
}

function releaseOfVersion({ name, number, hash }: PromptVersion): NumberedRelease {
  return { number, release: { version: `${name}@${number}`, hash } };
}

/** Has the label of a prompt point where its rollout has ended, unless somebody else has moved it meanwhile. */
async function moveLabel(
  { promptKeeper, log }: { promptKeeper: PromptKeeper; log: NewsLog },
  rollout: Required<Pick<Rollout, 'spec' | 'progress' | 'origin'>>,
): Promise<void> {
  const { name, moves } = rollout.spec;
  if (!('prompt' in moves)) return;
  const { prompt, label } = moves;
  try {
    await promptKeeper.lead(prompt, label, (pointer) => leadOf(rollout, pointer), authorOf(name));
  } catch (err) {
    // Calls go where the rollout says, whatever the label does.
    const fields = { event: 'rollout_not_written', rollout: name, prompt, label, err };
    log.error(fields, 'the label of a prompt could not be moved where its rollout has ended');
  }
}

/** What the models of the configuration in force stand on, and what they are to move to. */
function standingReleases({ config, revision }: ControlPlane): StandingReleases {
  const releases: (readonly [string, JsonObject])[] = [];
  for (const [model, { targets }] of Object.entries(config.models))
    for (const { release } of targets) releases.push([model, release]);
  for (const { model, move } of Object.values(config.rollouts))
    if (model !== undefined && move) releases.push([model, move.candidate.release]);
  return { config, revision, releases };
}
