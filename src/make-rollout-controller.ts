import type { ControlNews, NewsLog } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { RolloutPromotion } from './control/rollout-promotion.ts';
import { RolloutController } from './rollouts/controller.ts';
import type { Rollout, RolloutBook } from './rollouts/rollout-book.ts';
import { RolloutStore } from './rollouts/rollout-store.ts';
import type { Store } from './store/store.ts';
import { tellTransition } from './tell-problems.ts';
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
}): RolloutController {
  const promotion = new RolloutPromotion({ control, news, log });
  return new RolloutController({
    ...{ store: new RolloutStore(store), book, rollouts },
    onTransition: (rollout, from, stored) => {
      const { name, model } = rollout.spec;
      tellTransition(news, rollout, from, stored);
      if (stored.progress.phase === 'promoted') void promotion.promoted(name, model);
      else if (from.phase === 'promoted') void promotion.takenBack(name, model);
    },
    onFailure: (err) => log.error({ err }, 'the store says nothing of rollouts: they stand still'),
    now: Date.now,
    schedule: scheduleTimeout,
  });
}
