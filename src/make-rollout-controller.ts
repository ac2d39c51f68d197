import type { ControlNews, NewsLog } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { ownPlacesOf, RolloutPromotion } from './control/rollout-promotion.ts';
import type { JsonObject } from './conversation/json.ts';
import type { Snapshot } from './gateway/snapshot.ts';
import { endLabelMove, releasesOfLabel } from './prompts/moved-label.ts';
import type { PromptBook } from './prompts/prompt-book.ts';
import type { PromptKeeper } from './prompts/prompt-keeper.ts';
import { RolloutController } from './rollouts/controller.ts';
import { ReleaseLog, type StandingReleases } from './rollouts/release-log.ts';
import { ReleaseStore } from './rollouts/release-store.ts';
import type { Rollout, RolloutBook } from './rollouts/rollout-book.ts';
import { RolloutStore } from './rollouts/rollout-store.ts';
import type { Store } from './store/store.ts';
import { tellApproval, tellShortOfCalls, tellShortOfUsers, tellTransition } from './tell-problems.ts';
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
      if ('prompt' in moves) return releasesOfLabel(prompts, moves, { stable, candidate }, Date.now());
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
        const ended = { spec: rollout.spec, progress, origin };
        endLabelMove(promptKeeper, moves, ended).catch((err) => {
          // Calls go where the rollout says, whatever the label does.
          const fields = { event: 'rollout_not_written', rollout: name, ...moves, err };
          log.error(fields, 'the label of a prompt could not be moved where its rollout has ended');
        });
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
    onShortOfUsers: (rollout, stored, report) => tellShortOfUsers(news, rollout, stored, report),
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

/** What the models of the configuration in force stand on, and what they are to move to. */
function standingReleases({ config, revision }: ControlPlane): StandingReleases {
  const releases: (readonly [string, JsonObject])[] = [];
  for (const [model, { targets }] of Object.entries(config.models))
    for (const { release } of targets) releases.push([model, release]);
  for (const { model, move } of Object.values(config.rollouts))
    if (model !== undefined && move) releases.push([model, move.candidate.release]);
  return { config, revision, releases };
}
