import type { ControlNews, NewsLog } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { RolloutPromotion } from './control/rollout-promotion.ts';
import type { JsonObject } from './conversation/json.ts';
import { RolloutController } from './rollouts/controller.ts';
import { ReleaseLog, type StandingReleases } from './rollouts/release-log.ts';
import { ReleaseStore } from './rollouts/release-store.ts';
import type { Rollout, RolloutBook } from './rollouts/rollout-book.ts';
import { RolloutStore } from './rollouts/rollout-store.ts';
import type { Store } from './store/store.ts';
import { tellApproval, tellTransition } from './tell-problems.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** What moves rollouts on, with what follows from their transitions: events, and revisions of what they moved. */
export function makeRolloutController({
  store,
  control,
  news,
  log,
  book,
  rollouts,
}: {
  store: Store;
  control: ControlPlane;
  news: ControlNews;
  log: NewsLog;
  book: RolloutBook;
  /** Those of the configuration in force. */
  rollouts(): Iterable<Rollout>;
}): { rolloutController: RolloutController; releases: ReleaseStore } {
  const releases = new ReleaseStore(store, Date.now);
  const promotion = new RolloutPromotion({ control, news, log });
  const releaseLog = new ReleaseLog(releases, () => standingReleases(control));
  const rolloutController = new RolloutController({
    ...{ store: new RolloutStore(store), book, rollouts },
    numberOf: (model, release) => releases.numberOf(model, release, control.revision),
    noteReleases: () => releaseLog.note(),
    onTransition: (rollout, from, stored) => tellTransition(news, rollout, from, stored),
    onEnd: ({ spec }, { progress, origin }, isNews) => {
      const { name, model } = spec;
      const stable = origin?.stable.release ?? spec.stable;
      const candidate = origin?.candidate.release ?? spec.candidate;
      const end = progress.phase === 'promoted' ? 'promoted' : 'rolled_back';
      void promotion.write({ name, model, end, stable, candidate }, isNews);
    },
    onApproval: (rollout, approval) => tellApproval(news, rollout, approval),
    onFailure: (err) => log.error({ err }, 'the store says nothing of rollouts: they stand still'),
    now: Date.now,
    schedule: scheduleTimeout,
  });
  return { rolloutController, releases };
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
