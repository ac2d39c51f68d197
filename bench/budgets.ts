import { cpuUsPerUnit, type ScenarioResult } from './measure/results.ts';
import { median } from './measure/statistics.ts';

/** What the project allows itself: CPU time of one subject against another's in the same run. */
export interface Budget {
  scenario: string;
  subject: string;
  against: string;
  /** Highest median ratio that is still in budget. */
  maxRatio: number;
}

export const BUDGETS: readonly Budget[] = [
  { scenario: 'call-1kb', subject: 'fairlead', against: 'nginx', maxRatio: 4 },
  // No measurable cost: what is left is what rounds differ by.
  { scenario: 'many-tenants', subject: 'fairlead-many', against: 'fairlead-few', maxRatio: 1.05 },
];

export interface BudgetOutcome extends Budget {
  /** Undefined where the run did not measure both subjects. */
  ratio: number | undefined;
  met: boolean;
}

/**
 * Holds the results against the budgets of the scenarios and subjects that were asked for. A subject that was
 * asked for and could not be measured misses its budget.
 */
export function checkBudgets(
  budgets: readonly Budget[],
  results: readonly ScenarioResult[],
): BudgetOutcome[] {
  const outcomes: BudgetOutcome[] = [];
  for (const budget of budgets) {
    const result = results.find(({ scenario }) => scenario === budget.scenario);
    const asked = result?.subjects.map(({ subject }) => subject) ?? [];
    if (!asked.includes(budget.subject) || !asked.includes(budget.against)) continue;
    const ratio = result?.ratios.find(
      ({ subject, against }) => subject === budget.subject && against === budget.against,
    )?.spread.median;
    outcomes.push({ ...budget, ratio, met: ratio !== undefined && ratio <= budget.maxRatio });
  }
  return outcomes;
}

/** How much more CPU time than another's a call of a subject may take. */
export interface MoreBudget {
  scenario: string;
  subject: string;
  against: string;
  /** Highest median difference that is still in budget. */
  maxUs: number;
}

/** To check an input and make a request of 2 KB of it. */
export const MORE_BUDGETS: readonly MoreBudget[] = [
  { scenario: 'prompt-2kb', subject: 'fairlead-prompt', against: 'fairlead', maxUs: 150 },
];

export interface MoreOutcome extends MoreBudget {
  /** Round by round, the median; undefined where the run did not measure both subjects. */
  moreUs: number | undefined;
  met: boolean;
}

/** The same for differences. */
export function checkMore(budgets: readonly MoreBudget[], results: readonly ScenarioResult[]): MoreOutcome[] {
  const outcomes: MoreOutcome[] = [];
  for (const budget of budgets) {
    const subjects = results.find(({ scenario }) => scenario === budget.scenario)?.subjects ?? [];
    const ours = subjects.find(({ subject }) => subject === budget.subject);
    const theirs = subjects.find(({ subject }) => subject === budget.against);
    if (!ours || !theirs) continue;
    const differences = ours.rounds.flatMap((round, index) => {
      const other = theirs.rounds[index];
      const [our, their] = [cpuUsPerUnit(round), other && cpuUsPerUnit(other)];
      return our === undefined || their === undefined ? [] : [our - their];
    });
    const moreUs = differences.length > 0 ? median(differences) : undefined;
    outcomes.push({ ...budget, moreUs, met: moreUs !== undefined && moreUs <= budget.maxUs });
  }
  return outcomes;
}

/** How long a subject may take from its start until it takes traffic. */
export interface StartBudget {
  subject: string;
  maxMs: number;
}

export const START_BUDGETS: readonly StartBudget[] = [
  { subject: 'fairlead-many', maxMs: 3_000 },
  { subject: 'fairlead-prompts', maxMs: 2_000 },
];

export interface StartOutcome extends StartBudget {
  /** Undefined where it did not start. */
  startMs: number | undefined;
  met: boolean;
}

/** The same for starts: of the subjects that were asked for. */
export function checkStarts(
  budgets: readonly StartBudget[],
  asked: readonly string[],
  starts: readonly { subject: string; startMs: number }[],
): StartOutcome[] {
  return budgets
    .filter(({ subject }) => asked.includes(subject))
    .map((budget) => {
      const startMs = starts.find(({ subject }) => subject === budget.subject)?.startMs;
      return { ...budget, startMs, met: startMs !== undefined && startMs <= budget.maxMs };
    });
}
