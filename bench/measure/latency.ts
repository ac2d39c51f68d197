import type { LatencyScenario } from '../scenarios.ts';
import type { Traffic } from '../traffic/start.ts';
import type { LatencyResult, LatencyRound } from './results.ts';
import { median, quantile } from './statistics.ts';
import { type Entrant, type TurnPlan, takeTurns } from './turns.ts';

/** How long calls take that begin at set times. */
export async function measureLatency(
  scenario: LatencyScenario,
  entrants: readonly Entrant[],
  traffic: Traffic,
  { seconds, ...plan }: TurnPlan & { seconds: number },
): Promise<LatencyResult> {
  const subjects = await takeTurns(entrants, plan, async (_, running): Promise<LatencyRound> => {
    const { latenciesMs, lateMs } = await traffic.pace(scenario, running, seconds);
    return {
      calls: latenciesMs.length,
      p50: quantile(latenciesMs, 0.5),
      p99: quantile(latenciesMs, 0.99),
      p999: quantile(latenciesMs, 0.999),
      lateP99: quantile(lateMs, 0.99),
    };
  });
  const { name, title, callsPerSecond, until } = scenario;
  return { scenario: name, title, callsPerSecond, until, subjects };
}

/** By how much a subject's quantile is above that of the bare connection in the same round: the median of the rounds, in milliseconds. */
export function addedMs(
  ours: readonly LatencyRound[],
  bare: readonly LatencyRound[],
  figure: 'p50' | 'p99' | 'p999',
): number | undefined {
  const differences = ours.flatMap((round, index) => {
    const theirs = bare[index];
    return theirs === undefined ? [] : [round[figure] - theirs[figure]];
  });
  return differences.length === 0 ? undefined : median(differences);
}
