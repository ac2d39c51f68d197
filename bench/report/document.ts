import { replaceBetween } from './between-marks.ts';
import { renderBudgets } from './budgets.ts';
import type { Report } from './report.ts';
import { renderEnvironment, renderResults } from './report.ts';

const MARKS = [
  '<!-- What follows is written by `npm run bench:document`. -->',
  '<!-- It ends here. -->',
] as const;

/** Puts a run in the place of the one that a page tells. Throws where the page has no place for it. */
export function replaceRun(page: string, report: Report): string {
  return replaceBetween(page, MARKS, renderRun(report));
}

/** When and where it was measured, the budgets, and every table. */
export function renderRun(report: Report): string {
  const { startedAt, tookMs, isFull, environment, budgets, results } = report;
  const minutes = (tookMs / 60_000).toFixed(1);
  const kind = isFull ? 'A full run' : 'A run that was shortened or narrowed';
  const commit = environment.commit === undefined ? '' : `, commit \`${environment.commit}\``;
  const met = budgets.filter((budget) => budget.met).length;
  return [
    `${kind} of ${startedAt.slice(0, 10)}${commit}, which took ${minutes} minutes; load of the machine before it: ${environment.loadAverage.toFixed(1)}.`,
    ...renderEnvironment(report),
    renderBudgets(budgets),
    `${met} of ${budgets.length} budgets are met.`,
    ...renderResults(results),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
