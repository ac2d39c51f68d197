import { type Figure, readFigure } from './figures.ts';
import type { Results } from './measure/results.ts';

/** What the project allows itself: a figure of one subject, or its ratio to another's in the same run. */
export interface Budget {
  scenario: string;
  subject: string;
  figure: Figure;
  /** The ratio to this subject's figure is meant, which says the same on a fast machine and a slow one. */
  against?: string;
  /** How much more than this subject's figure is meant. */
  beyond?: string;
  /** In budget up to this, or from this on. */
  atMost?: number;
  atLeast?: number;
}

/** Of issue 9, whose CPU times stand here as ratios to nginx's. */
export const BUDGETS: readonly Budget[] = [
  ...withinNginx({
    'call-1kb': 3.4,
    'call-20kb': 4.5,
    'call-1mb': 5,
    'translated-1kb': 6.1,
    'stream-one-by-one': 2.3,
    'stream-burst': 3.3,
    'translated-one-by-one': 3.2,
    'translated-burst': 8.3,
  }),
  { scenario: 'call-1kb-redis', subject: 'fairlead-redis', figure: 'cpuUs', against: 'nginx', atMost: 4.7 },
  { scenario: 'call-1kb', subject: 'fairlead', figure: 'perSecond', atLeast: 16_000 },
  { scenario: 'call-1kb', subject: 'portkey', figure: 'cpuUs', against: 'fairlead', atLeast: 13 },
  { scenario: 'stream-one-by-one', subject: 'portkey', figure: 'cpuUs', against: 'fairlead', atLeast: 2.5 },
  { scenario: 'stream-burst', subject: 'portkey', figure: 'cpuUs', against: 'fairlead', atLeast: 2.5 },
  { scenario: 'latency-1000', subject: 'fairlead', figure: 'addedP50Ms', atMost: 0.32 },
  { scenario: 'latency-1000', subject: 'fairlead', figure: 'addedP99Ms', atMost: 1.2 },
  { scenario: 'fresh', subject: 'fairlead', figure: 'startMs', atMost: 375 },
  { scenario: 'fresh', subject: 'fairlead', figure: 'idleMb', atMost: 90 },
  { scenario: 'fresh', subject: 'fairlead', figure: 'kbPerStream', atMost: 24 },
  { scenario: 'fresh', subject: 'portkey', figure: 'kbPerStream', against: 'fairlead', atLeast: 4 },
  // As many calls a second on two cores as 1.7 times those on one: each may cost two 1.7ths.
  {
    scenario: 'workers',
    subject: 'fairlead-workers-2',
    figure: 'cpuUs',
    against: 'fairlead-workers-1',
    atMost: 1.176,
  },
  // No measurable cost: what is left is what rounds differ by.
  {
    scenario: 'many-tenants',
    subject: 'fairlead-many',
    figure: 'cpuUs',
    against: 'fairlead-few',
    atMost: 1.05,
  },
  { scenario: 'many-tenants', subject: 'fairlead-many', figure: 'startMs', atMost: 3_000 },
  // Of issue 8: to check an input and make a request of 2 KB of it, and to load prompts.
  {
    scenario: 'prompt-2kb',
    subject: 'fairlead-prompt',
    figure: 'cpuUs',
    beyond: 'fairlead',
    atMost: 150,
  },
  { scenario: 'many-prompts', subject: 'fairlead-prompts', figure: 'startMs', atMost: 2_000 },
];

function withinNginx(ratios: Record<string, number>): Budget[] {
  return Object.entries(ratios).map(([scenario, atMost]) => {
    return { scenario, subject: 'fairlead', figure: 'cpuUs', against: 'nginx', atMost };
  });
}

export interface BudgetOutcome extends Budget {
  /** Undefined where the run did not measure it. */
  found: number | undefined;
  met: boolean;
}

/**
 * Holds the results against the budgets of the scenarios and subjects that were asked for. A subject that was
 * asked for and could not be measured misses its budget.
 */
export function checkBudgets(budgets: readonly Budget[], results: Results): BudgetOutcome[] {
  return budgets
    .filter(({ scenario, subject, against, beyond }) => {
      const measured = [...results.scenarios, ...results.latencies, ...results.fresh].find(
        (result) => result.scenario === scenario,
      );
      const asked = measured?.subjects.map((each) => each.subject) ?? [];
      return [subject, against, beyond].every((one) => one === undefined || asked.includes(one));
    })
    .map((budget) => {
      const found = readFigure(results, budget);
      return { ...budget, found, met: found !== undefined && isWithin(budget, found) };
    });
}

function isWithin({ atMost = Number.POSITIVE_INFINITY, atLeast = 0 }: Budget, found: number): boolean {
  return found >= atLeast && found <= atMost;
}
