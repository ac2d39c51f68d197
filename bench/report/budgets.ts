import type { BudgetOutcome } from '../budgets.ts';
import type { Figure } from '../figures.ts';
import { NONE } from './numbers.ts';
import { renderTable } from './table.ts';

/** What figures are called, with the unit. */
const FIGURES: Record<Figure, string> = {
  cpuUs: 'CPU, µs',
  perSecond: 'a second',
  allocatedBytes: 'allocated, bytes',
  addedP50Ms: 'added p50, ms',
  addedP99Ms: 'added p99, ms',
  addedP999Ms: 'added p99.9, ms',
  startMs: 'start, ms',
  idleMb: 'memory at rest, MB',
  kbPerStream: 'memory a stream, KB',
};

/** The table of budgets with what was found; nothing where there are none. */
export function renderBudgets(budgets: readonly BudgetOutcome[]): string {
  if (budgets.length === 0) return '';
  const rows = budgets.map(({ atMost, atLeast, found, met, ...budget }) => [
    budget.scenario,
    nameFigure(budget),
    atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`,
    found === undefined ? NONE : found >= 100 ? found.toFixed(0) : found.toFixed(2),
    found === undefined ? 'not measured' : met ? 'met' : 'NOT MET',
  ]);
  const titles = ['scenario', 'figure', 'budget', 'found', 'outcome'];
  return `### Budgets\n\n${renderTable(
    titles.map((title) => ({ title, align: 'left' })),
    rows,
  )}`;
}

function nameFigure({
  subject,
  figure,
  against,
  beyond,
}: Pick<BudgetOutcome, 'subject' | 'figure' | 'against' | 'beyond'>): string {
  if (against !== undefined)
    return `${subject} / ${against}: ${figure === 'cpuUs' ? 'CPU' : FIGURES[figure]}`;
  const whose = beyond === undefined ? subject : `${subject} − ${beyond}`;
  return `${whose}: ${FIGURES[figure]}`;
}
