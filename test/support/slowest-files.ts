import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** How many are told of: enough to see where the time of a run went. */
const MOST = 15;

/** A reporter of `test/run.ts`: which files took longest, so that a run that has become slow shows why. */
export default async function* reportSlowestFiles(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const times = new Map<string, number>();
  for await (const { type, data } of source) {
    if (type === 'test:summary' && data.file !== undefined) times.set(data.file, data.duration_ms);
  }
  const slowest = [...times].toSorted(([, a], [, b]) => b - a).slice(0, MOST);
  yield 'the slowest files, in seconds:\n';
  for (const [file, ms] of slowest) {
    yield `${(ms / 1000).toFixed(1).padStart(7)}  ${relative(process.cwd(), file)}\n`;
  }
}
