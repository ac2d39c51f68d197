import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, readFigure } from '../figures.ts';
import type { Results } from '../measure/results.ts';
import type { Report } from './report.ts';

const HISTORY = join(import.meta.dirname, '../history.jsonl');

/** One line of the history: what says the same on whatever machine it was measured, or nearly so. */
export interface HistoryLine {
  date: string;
  commit: string | undefined;
  node: string;
  /** CPU time of a call or chunk against that of nginx, and of other pairs, by scenario: `{ "call-1kb": { "fairlead/nginx": 3.4 } }`. */
  cpuRatios: Record<string, Record<string, number>>;
  /** Bytes of JavaScript that a call or chunk allocates. */
  allocatedBytes: Record<string, number>;
  memory: Partial<Record<Figure, number>>;
}

const OURS = 'fairlead';

export function describeForHistory({ startedAt, environment, results }: Report): HistoryLine {
  return {
    date: startedAt.slice(0, 10),
    commit: environment.commit,
    node: environment.node,
    cpuRatios: Object.fromEntries(
      results.scenarios.map(({ scenario, ratios }) => [
        scenario,
        Object.fromEntries(
          ratios
            .filter(({ subject, against }) => subject.startsWith(OURS) && isPeer(results, subject, against))
            .map(({ subject, against, spread }) => [`${subject}/${against}`, round(spread.median)]),
        ),
      ]),
    ),
    allocatedBytes: collect(
      results.scenarios.map(({ scenario }) => {
        const figure = 'allocatedBytes' as const;
        return [scenario, readFigure(results, { scenario, subject: OURS, figure })];
      }),
    ),
    memory: collect(
      (['idleMb', 'kbPerStream'] as const).map((figure) => {
        return [figure, readFigure(results, { scenario: 'fresh', subject: OURS, figure })];
      }),
    ),
  };
}

/** Others, and of our own what stands ahead in the tables: not a pair both ways. */
function isPeer({ scenarios }: Results, subject: string, against: string): boolean {
  if (!against.startsWith(OURS)) return true;
  const order = scenarios.flatMap(({ subjects }) => subjects.map((each) => each.subject));
  return order.indexOf(against) < order.indexOf(subject);
}

function collect<Name extends string>(
  figures: readonly (readonly [Name, number | undefined])[],
): Partial<Record<Name, number>> & Record<string, number> {
  const known = figures.filter((figure): figure is [Name, number] => figure[1] !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, round(value)])) as Record<Name, number>;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Adds a line for a full run. */
export function appendToHistory(report: Report): void {
  appendFileSync(HISTORY, `${JSON.stringify(describeForHistory(report))}\n`);
}
