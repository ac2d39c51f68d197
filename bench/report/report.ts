import type { BudgetOutcome, MoreOutcome, StartOutcome } from '../budgets.ts';
import {
  cpuUsPerUnit,
  type Ratio,
  type Round,
  type ScenarioResult,
  type SubjectResult,
} from '../measure/results.ts';
import { type Spread, summarise } from '../measure/statistics.ts';
import type { Environment } from './environment.ts';
import { type Column, renderTable } from './table.ts';

/** Everything that one run found out; also what is written as JSON. */
export interface Report {
  formatVersion: 1;
  startedAt: string;
  tookMs: number;
  environment: Environment;
  /** How long subjects took until they were ready, of those that tell. */
  starts: { subject: string; startMs: number }[];
  scenarios: ScenarioResult[];
  budgets: BudgetOutcome[];
  moreBudgets: MoreOutcome[];
  startBudgets: StartOutcome[];
}

/** The peer that ratios in the tables are taken against. */
const REFERENCE = 'nginx';

/** Below this share of a CPU the gateway was waiting for the load, and calls/s says nothing about it. */
const SATURATED = 0.9;

const NONE = '–';

/** The report as text: a table a scenario, then what is missing, then the budgets. */
export function renderReport(report: Report): string {
  const { environment } = report;
  return [
    `${environment.cpu}, ${environment.cpus.description}`,
    `Linux ${environment.kernel}, Node ${environment.node}, ${environment.subjects.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')}`,
    ...report.scenarios.map(renderScenario),
    "CPU is user + system time of the subject's processes, median of the rounds. Ratio: round by round against " +
      `${REFERENCE}, median (min..max).\nBusy: share of one CPU in use. * the subject was not saturated, so its rate is the load's and a lower bound.`,
    ...report.starts.map(
      ({ subject, startMs }) => `Start: ${subject} took traffic after ${(startMs / 1_000).toFixed(2)} s.`,
    ),
    ...renderFailures(report.scenarios),
    ...report.budgets.map(renderBudget),
    ...report.moreBudgets.map(renderMoreBudget),
    ...report.startBudgets.map(renderStartBudget),
  ].join('\n\n');
}

function renderScenario(result: ScenarioResult): string {
  const columns: Column[] = [
    { title: 'subject', align: 'left' },
    { title: `CPU µs/${result.per}`, align: 'right' },
    { title: 'user', align: 'right' },
    { title: 'sys', align: 'right' },
    { title: `ratio to ${REFERENCE}`, align: 'right' },
    { title: `${result.per}s/s`, align: 'right' },
    { title: `packets/${result.per}`, align: 'right' },
    { title: 'busy', align: 'right' },
    { title: 'upstream', align: 'right' },
    { title: 'load', align: 'right' },
  ];
  const rows = result.subjects
    .filter(({ rounds }) => rounds.length > 0)
    .map((subject) => renderRow(subject, result.ratios));
  return `## ${result.title} (${result.scenario})\n\n${renderTable(columns, rows)}`;
}

function renderRow({ subject, rounds }: SubjectResult, ratios: readonly Ratio[]): string[] {
  const medianOf = (read: (round: Round) => number | undefined): number | undefined =>
    summariseKnown(rounds.map(read))?.median;
  const ratio = ratios.find((entry) => entry.subject === subject && entry.against === REFERENCE);
  const busy = medianOf((round) => round.busy.subject);
  const rate = renderCount(medianOf((round) => (round.units / round.wallMs) * 1_000));
  return [
    subject,
    renderDecimal(medianOf(cpuUsPerUnit)),
    renderDecimal(medianOf((round) => round.userUsPerUnit)),
    renderDecimal(medianOf((round) => round.systemUsPerUnit)),
    ratio === undefined ? NONE : renderRatio(ratio.spread),
    busy !== undefined && busy < SATURATED ? `${rate}*` : rate,
    renderDecimal(medianOf((round) => round.readsPerUnit)),
    renderShare(busy),
    renderShare(medianOf((round) => round.busy.upstream)),
    renderShare(medianOf((round) => round.busy.load)),
  ];
}

function renderFailures(scenarios: readonly ScenarioResult[]): string[] {
  const lines = new Set<string>();
  for (const { subjects } of scenarios) {
    for (const { subject, failure } of subjects) {
      if (failure !== undefined) lines.add(`Not measured: ${subject}: ${failure}`);
    }
  }
  return [...lines];
}

function renderBudget({ scenario, subject, against, maxRatio, ratio, met }: BudgetOutcome): string {
  const found = ratio === undefined ? 'not measured' : ratio.toFixed(2);
  return `Budget ${scenario}, ${subject} / ${against} ≤ ${maxRatio}: ${found}, ${met ? 'met' : 'NOT MET'}`;
}

function renderMoreBudget({ scenario, subject, against, maxUs, moreUs, met }: MoreOutcome): string {
  const found = moreUs === undefined ? 'not measured' : `${moreUs.toFixed(0)} µs`;
  return `Budget ${scenario}, ${subject} − ${against} ≤ ${maxUs} µs: ${found}, ${met ? 'met' : 'NOT MET'}`;
}

function renderStartBudget({ subject, maxMs, startMs, met }: StartOutcome): string {
  const found = startMs === undefined ? 'not measured' : `${(startMs / 1_000).toFixed(2)} s`;
  return `Budget start, ${subject} ≤ ${maxMs / 1_000} s: ${found}, ${met ? 'met' : 'NOT MET'}`;
}

function summariseKnown(values: readonly (number | undefined)[]): Spread | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : summarise(known);
}

function renderRatio({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;
}

function renderDecimal(value: number | undefined): string {
  if (value === undefined) return NONE;
  return value.toFixed(value < 10 ? 2 : 1);
}

function renderCount(value: number | undefined): string {
  return value === undefined ? NONE : Math.round(value).toLocaleString('en-GB');
}

function renderShare(value: number | undefined): string {
  return value === undefined ? NONE : `${Math.round(value * 100)} %`;
}
