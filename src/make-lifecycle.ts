import type { Config } from './config/resolve.ts';
import type { ControlNews, NewsLog } from './control/control-news.ts';
import type { ControlPlane } from './control/control-plane.ts';
import { RolloutDrafts } from './control/draft-rollouts.ts';
import type { EventLog } from './control/event-log.ts';
import { RetirementWatch } from './lifecycle/retirement-watch.ts';
import type { RolloutController } from './rollouts/controller.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** What tells ahead of time which models their providers take away, and drafts the rollouts away from them. */
export function makeRetirementWatch({
  control,
  controller,
  events,
  news,
  log,
}: {
  control: ControlPlane;
  controller: RolloutController;
  events: EventLog;
  news: ControlNews;
  log: NewsLog;
}): RetirementWatch {
  const find = (name: string) => controller.list().find(({ spec }) => spec.name === name);
  const drafts = new RolloutDrafts({
    ...{ control, events, news, now: Date.now },
    endOf: async (name) => {
      // What another instance did just now counts, too.
      await controller.findNamed(name);
      const rollout = find(name);
      const phase = rollout && controller.find(rollout)?.progress.phase;
      return phase === 'promoted' || phase === 'rolled_back' ? phase : undefined;
    },
    forget: (name) => controller.forget(name),
    start: async (name, by) => {
      const rollout = find(name);
      if (rollout) await controller.startDraft(rollout, by);
    },
  });
  return new RetirementWatch({
    ...{ notices: news, now: Date.now, schedule: scheduleTimeout },
    config: (): Config => control.config,
    draft: (moves) => drafts.draft(moves),
    onFailure: (err) => log.error({ err }, 'rollouts to successors could not be drafted; it is tried again'),
  });
}
