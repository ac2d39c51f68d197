import type { BudgetOutcome } from '../budgets.ts';
import { readFigure } from '../figures.ts';
import type { Results } from '../measure/results.ts';
import { renderBudgets } from './budgets.ts';
import { renderCpu } from './cpu.ts';
import type { Environment } from './environment.ts';
import { renderFresh } from './fresh.ts';
import { renderLatency } from './latency.ts';

/** Everything that one run found out; also what is written as JSON. */
export interface Report {
  formatVersion: 2;
  startedAt: string;
  tookMs: number;
  /** Neither shortened by `--quick` or `--rounds` nor narrowed by `--only`. */
  isFull: boolean;
  environment: Environment;
  results: Results;
  budgets: BudgetOutcome[];
}

/** The report as text: a table a scenario, then what is missing, then the budgets. */
export function renderReport(report: Report): string {
  return [...renderEnvironment(report), ...renderResults(report.results), renderBudgets(report.budgets)]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function renderEnvironment({ environment }: Report): string[] {
  const subjects = environment.subjects.map(({ name, version }) => `${name} ${version}`.trim());
  return [
    `${environment.cpu}, ${environment.cpus.description}`,
    `Linux ${environment.kernel}, Node ${environment.node}, ${subjects.join(', ')}`,
  ];
}

export function renderResults(results: Results): string[] {
  return [
    ...results.scenarios.map(renderCpu),
    ...results.latencies.map(renderLatency),
    ...results.fresh.map(renderFresh),
    ...renderStarts(results),
    ...renderFailures(results),
  ];
}

/** Of the gateway with many tenants, whose start is of interest, and of its fellow. */
function renderStarts(results: Results): string[] {
  return results.scenarios
    .filter(({ scenario }) => scenario === 'many-tenants')
    .flatMap(({ scenario, subjects }) =>
      subjects.flatMap(({ subject }) => {
        const startMs = readFigure(results, { scenario, subject, figure: 'startMs' });
        return startMs === undefined
          ? []
          : [`Start: ${subject} took traffic after ${(startMs / 1_000).toFixed(2)} s.`];
      }),
    );
}

function renderFailures({ scenarios, latencies, fresh }: Results): string[] {
  const lines = new Set<string>();
  for (const { scenario, subjects } of [...scenarios, ...latencies, ...fresh]) {
    for (const { subject, failure } of subjects) {
      if (failure !== undefined) lines.add(`Not measured: ${subject} in ${scenario}: ${failure}`);
    }
  }
  return [...lines];
}
