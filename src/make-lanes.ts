import type { Config } from './config/resolve.ts';
import type { ControlNews } from './control/control-news.ts';
import { CoolingNews } from './cooling-news.ts';
import { LaneBook } from './routing/lane-book.ts';
import type { SharedHealth } from './routing/shared-health.ts';
import { tellBreaker, tellCredit, tellShut } from './tell-problems.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** All lanes, what tells of those that are left alone, and what shares their health with other instances, where the state is in a Redis. */
export async function makeLanes(
  state: Config['state'],
  { news, monotonicMs }: { news: ControlNews; monotonicMs: () => number },
): Promise<{ lanes: LaneBook; health: SharedHealth | undefined; cooling: CoolingNews }> {
  const cooling = new CoolingNews({ news, monotonicMs, schedule: scheduleTimeout });
  const lanes = new LaneBook({
    monotonicMs,
    onChange: (change) => {
      tellBreaker(news, change);
      health?.tellBreaker(change);
    },
    onCredit: (change) => {
      if (change.isNews) tellCredit(news, change);
      health?.tellCredit(change);
    },
    onShut: (change) => tellShut(news, change),
    onCool: (lane, owner) => {
      cooling.begin(lane, owner);
      health?.tellCooling(lane);
    },
    onRest: (lane, owner) => cooling.begin(lane, owner),
  });
  let health: SharedHealth | undefined;
  if (state.kind !== 'memory') {
    const { SharedHealth } = await import('./routing/shared-health.ts');
    health = new SharedHealth({
      url: state.url,
      monotonicMs,
      schedule: scheduleTimeout,
      hear: (word, nowMs) => lanes.hear(word, nowMs),
      onProblem: (err) =>
        news.log.warn({ err }, 'instances do not tell each other how providers do at the moment'),
    });
  }
  return { lanes, health, cooling };
}
