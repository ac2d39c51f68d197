import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { CallerDialectName } from '../../../src/dialects/dialect.ts';
import { FEATURES, type Feature } from '../features.ts';
import { PROVIDER_KINDS } from './providers.ts';

/** What became of every cell when the matrix last ran whole: by door, provider and feature. */
export type Outcomes = Record<CallerDialectName, Record<string, Record<Feature, string>>>;

export const DOORS = ['chat', 'responses', 'messages', 'gemini'] as const satisfies CallerDialectName[];
export const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];

const FILE = new URL('outcomes.json', import.meta.url);

/** Set by `scripts/write-compatibility.ts`: the matrix then writes down what it observes. */
export const WRITES_OUTCOMES = process.env['FAIRLEAD_WRITE_OUTCOMES'] === 'yes';

export function readOutcomes(): Outcomes {
  return existsSync(FILE)
    ? JSON.parse(readFileSync(FILE, 'utf8'))
    : { chat: {}, responses: {}, messages: {}, gemini: {} };
}

/** One line a provider, so that a change is seen as one. */
export function writeOutcomes(
  outcomeOf: (door: CallerDialectName, provider: string, feature: Feature) => string,
): void {
  const doors = DOORS.map((door) => {
    const rows = PROVIDER_KINDS.map(({ name }) => {
      const row = Object.fromEntries(
        FEATURE_NAMES.map((feature) => [feature, outcomeOf(door, name, feature)]),
      );
      return `    ${JSON.stringify(name)}: ${JSON.stringify(row)}`;
    });
    return `  ${JSON.stringify(door)}: {\n${rows.join(',\n')}\n  }`;
  });
  writeFileSync(FILE, `{\n${doors.join(',\n')}\n}\n`);
}
