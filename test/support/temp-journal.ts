import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Journal, type JournalOptions } from '../../src/usage/journal.ts';

const directories: string[] = [];
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** A directory for journals, which is gone after the file's tests. */
export function makeJournalDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-journal-'));
  directories.push(directory);
  return directory;
}

/** A journal in a directory of its own. It must work unless `onProblem` is given. */
export function openTempJournal(options: Partial<JournalOptions> = {}): Journal {
  return new Journal({
    directory: makeJournalDirectory(),
    onProblem: (problem) => {
      throw new Error(`the journal has a problem: ${problem.kind}`, { cause: problem });
    },
    ...options,
  });
}
