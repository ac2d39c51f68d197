import { BARE } from '../figures.ts';
import { addedMs } from '../measure/latency.ts';
import type { LatencyResult, LatencyRound } from '../measure/results.ts';
import { median } from '../measure/statistics.ts';
import { renderCount, renderDecimal } from './numbers.ts';
import { type Column, renderTable } from './table.ts';

/** One table of how long calls took at one rate. */
export function renderLatency(result: LatencyResult): string {
  const columns: Column[] = [
    { title: 'subject', align: 'left' },
    ...[
      'p50 ms',
      'p99 ms',
      'p99.9 ms',
      'added p50',
      'added p99',
      'added p99.9',
      'calls',
      'load late p99',
    ].map((title): Column => ({ title, align: 'right' })),
  ];
  const bare = result.subjects.find(({ subject }) => subject === BARE)?.rounds ?? [];
  const rows = result.subjects
    .filter(({ rounds }) => rounds.length > 0)
    .map(({ subject, rounds }) => {
      const ofRounds = (figure: keyof LatencyRound) => median(rounds.map((round) => round[figure]));
      const added = (figure: 'p50' | 'p99' | 'p999') =>
        renderDecimal(subject === BARE ? undefined : addedMs(rounds, bare, figure));
      return [
        subject,
        renderDecimal(ofRounds('p50')),
        renderDecimal(ofRounds('p99')),
        renderDecimal(ofRounds('p999')),
        added('p50'),
        added('p99'),
        added('p999'),
        renderCount(rounds.reduce((sum, { calls }) => sum + calls, 0)),
        renderDecimal(ofRounds('lateP99')),
      ];
    });
  return `### ${result.title} (${result.scenario})\n\n${renderTable(columns, rows)}`;
}
