import { addedMs } from './measure/latency.ts';
import { cpuUsPerUnit, type Results, type Round } from './measure/results.ts';
import { median } from './measure/statistics.ts';

/** What budgets are set for and what the history keeps, each the median of its rounds or starts. */
export type Figure =
  | 'cpuUs'
  | 'perSecond'
  | 'allocatedBytes'
  | 'addedP50Ms'
  | 'addedP99Ms'
  | 'addedP999Ms'
  | 'startMs'
  | 'idleMb'
  | 'kbPerStream';

/** The subject that added latency is taken against. */
export const BARE = 'direct';

interface Asked {
  scenario: string;
  subject: string;
  figure: Figure;
  against?: string;
  beyond?: string;
}

/** A figure, or its ratio to another subject's, of CPU time round by round, or how far it is beyond that. Undefined where it was not measured. */
export function readFigure(results: Results, { against, beyond, ...asked }: Asked): number | undefined {
  if (beyond !== undefined) {
    const [ours, theirs] = [readOwn(results, asked), readOwn(results, { ...asked, subject: beyond })];
    return ours === undefined || theirs === undefined ? undefined : ours - theirs;
  }
  if (against === undefined) return readOwn(results, asked);
  if (asked.figure === 'cpuUs') {
    const ratios = results.scenarios.find(({ scenario }) => scenario === asked.scenario)?.ratios;
    return ratios?.find((ratio) => ratio.subject === asked.subject && ratio.against === against)?.spread
      .median;
  }
  const [ours, theirs] = [readOwn(results, asked), readOwn(results, { ...asked, subject: against })];
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

function readOwn(results: Results, { scenario, subject, figure }: Asked): number | undefined {
  const rounds = findRounds(results.scenarios, scenario, subject);
  const fresh = results.fresh
    .find((result) => result.scenario === scenario)
    ?.subjects.find((each) => each.subject === subject);
  const added = (quantile: 'p50' | 'p99' | 'p999') =>
    addedMs(
      findRounds(results.latencies, scenario, subject),
      findRounds(results.latencies, scenario, BARE),
      quantile,
    );
  switch (figure) {
    case 'cpuUs':
      return medianOf(rounds, cpuUsPerUnit);
    case 'perSecond':
      return medianOf(rounds, ({ units, wallMs }) => (units / wallMs) * 1_000);
    case 'allocatedBytes':
      return medianOf(rounds, ({ allocatedBytesPerUnit }) => allocatedBytesPerUnit);
    case 'addedP50Ms':
      return added('p50');
    case 'addedP99Ms':
      return added('p99');
    case 'addedP999Ms':
      return added('p999');
    case 'startMs':
      return fresh === undefined
        ? results.starts.find((start) => start.subject === subject)?.startMs
        : medianOfKnown(fresh.startsMs);
    case 'idleMb':
      return fresh?.idleMb;
    case 'kbPerStream':
      return fresh?.open.at(-1)?.kbPerStream;
  }
}

function findRounds<Part>(
  results: readonly { scenario: string; subjects: readonly { subject: string; rounds: readonly Part[] }[] }[],
  scenario: string,
  subject: string,
): readonly Part[] {
  const result = results.find((each) => each.scenario === scenario);
  return result?.subjects.find((each) => each.subject === subject)?.rounds ?? [];
}

/** Undefined where no round has it. */
export function medianOf(
  rounds: readonly Round[],
  read: (round: Round) => number | undefined,
): number | undefined {
  return medianOfKnown(rounds.map(read));
}

function medianOfKnown(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
