import { medianOf } from '../figures.ts';
import {
  cpuUsPerUnit,
  type Ratio,
  type Round,
  type ScenarioResult,
  type SubjectResult,
} from '../measure/results.ts';
import type { Spread } from '../measure/statistics.ts';
import { NONE, renderCount, renderDecimal, renderShare } from './numbers.ts';
import { type Column, renderTable } from './table.ts';

/** The peer that ratios in the tables are taken against. */
const REFERENCE = 'nginx';

/** Below this share of a CPU the gateway was waiting for the load, and calls/s says nothing about it. */
const SATURATED = 0.9;

/** One table of what calls or chunks cost. */
export function renderCpu(result: ScenarioResult): string {
  const reference = referenceOf(result);
  const columns: Column[] = [
    { title: 'subject', align: 'left' },
    { title: `CPU µs/${result.per}`, align: 'right' },
    { title: 'user', align: 'right' },
    { title: 'sys', align: 'right' },
    { title: `ratio to ${reference}`, align: 'right' },
    { title: `${result.per}s/s`, align: 'right' },
    { title: `packets/${result.per}`, align: 'right' },
    { title: `KB alloc/${result.per}`, align: 'right' },
    { title: 'busy', align: 'right' },
    { title: 'upstream', align: 'right' },
    { title: 'load', align: 'right' },
  ];
  const rows = result.subjects
    .filter(({ rounds }) => rounds.length > 0)
    .map((subject) => renderRow(subject, result.ratios, reference));
  return `### ${result.title} (${result.scenario})\n\n${renderTable(columns, rows)}`;
}

/** nginx, where it was measured; else the first subject that has a process. */
function referenceOf({ subjects }: ScenarioResult): string {
  const measured = subjects.filter(({ rounds }) => rounds.some((round) => cpuUsPerUnit(round) !== undefined));
  const names = measured.map(({ subject }) => subject);
  return names.includes(REFERENCE) ? REFERENCE : (names[0] ?? REFERENCE);
}

function renderRow(
  { subject, rounds }: SubjectResult,
  ratios: readonly Ratio[],
  reference: string,
): string[] {
  const ofRounds = (read: (round: Round) => number | undefined) => medianOf(rounds, read);
  const ratio = ratios.find((entry) => entry.subject === subject && entry.against === reference);
  const busy = ofRounds((round) => round.busy.subject);
  const rate = renderCount(ofRounds((round) => (round.units / round.wallMs) * 1_000));
  const allocated = ofRounds((round) => round.allocatedBytesPerUnit);
  return [
    subject,
    renderDecimal(ofRounds(cpuUsPerUnit)),
    renderDecimal(ofRounds((round) => round.userUsPerUnit)),
    renderDecimal(ofRounds((round) => round.systemUsPerUnit)),
    ratio === undefined ? NONE : renderRatio(ratio.spread),
    busy !== undefined && busy < SATURATED ? `${rate}*` : rate,
    renderDecimal(ofRounds((round) => round.readsPerUnit)),
    renderDecimal(allocated && allocated / 1_024),
    renderBusy(busy, rounds),
    renderShare(ofRounds((round) => round.busy.upstream)),
    renderShare(ofRounds((round) => round.busy.load)),
  ];
}

/** With what each process had of it, where several worked. */
function renderBusy(busy: number | undefined, rounds: readonly Round[]): string {
  const shares = rounds.at(-1)?.shares ?? [];
  if (shares.length < 2) return renderShare(busy);
  return `${renderShare(busy)} (${shares.map((share) => Math.round(share * 100)).join(' : ')})`;
}

function renderRatio({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;
}
