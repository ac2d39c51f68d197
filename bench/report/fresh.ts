import type { FreshResult } from '../measure/results.ts';
import { median } from '../measure/statistics.ts';
import { NONE, renderCount, renderDecimal } from './numbers.ts';
import { type Column, renderTable } from './table.ts';

/** The table of what fresh processes took to start, and of their memory. */
export function renderFresh(result: FreshResult): string {
  const measured = result.subjects.filter(({ idleMb }) => idleMb !== undefined);
  const steps = [...new Set(measured.flatMap(({ open }) => open.map(({ streams }) => streams)))];
  const columns: Column[] = [
    { title: 'subject', align: 'left' },
    { title: 'start ms', align: 'right' },
    { title: 'MB at rest', align: 'right' },
    ...steps.flatMap((streams): Column[] => [
      { title: `MB, ${renderCount(streams)} streams`, align: 'right' },
      { title: 'KB/stream', align: 'right' },
    ]),
  ];
  const rows = measured.map(({ subject, startsMs, idleMb, open }) => [
    subject,
    startsMs.length === 0 ? NONE : renderCount(median(startsMs)),
    renderDecimal(idleMb),
    ...steps.flatMap((streams) => {
      const step = open.find((each) => each.streams === streams);
      return [renderDecimal(step?.memoryMb), renderDecimal(step?.kbPerStream)];
    }),
  ]);
  return `### ${result.title} (${result.scenario})\n\n${renderTable(columns, rows)}`;
}
