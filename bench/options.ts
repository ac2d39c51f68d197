import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios.ts';
import { SUBJECTS } from './subjects/all.ts';

export interface Options {
  help: boolean;
  quick: boolean;
  json: boolean;
  assert: boolean;
  rounds: number;
  /** Names to keep, or undefined for all. */
  scenarios: string[] | undefined;
  subjects: string[] | undefined;
}

const ROUNDS = { quick: 3, full: 9 };

const scenarioNames = SCENARIOS.map((scenario) => scenario.name);
const subjectNames = SUBJECTS.map((subject) => subject.name);

export const HELP = `Usage: npm run bench -- [options]

CPU time per call and per streamed chunk: Fairlead and its peers side by side, in turns.

  --quick        within two minutes: fewer and shorter rounds
  --rounds N     measured rounds (default ${ROUNDS.full}, with --quick ${ROUNDS.quick})
  --only NAMES   only these scenarios and subjects, comma-separated; may be given again
                 scenarios: ${scenarioNames.join(', ')} (the last three only by their names)
                 subjects:  ${subjectNames.join(', ')}
  --assert       fail when a budget of bench/budgets.ts is missed or could not be measured
  --json         print the results as JSON instead of tables
  --help         show this

The results are also written to bench/results/latest.json.`;

/** Reads the command line. Throws with a sentence for the user when it is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const { rounds, only, ...flags } = values;
  return {
    ...flags,
    rounds: rounds === undefined ? ROUNDS[flags.quick ? 'quick' : 'full'] : readRounds(rounds),
    ...readOnly(only.flatMap((names) => names.split(','))),
  };
}

function readRounds(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--rounds takes a number from 1, not "${text}"`);
  return Number(text);
}

/** Names of one sort narrow that sort only: `--only nginx` still runs every scenario. */
function readOnly(names: readonly string[]): Pick<Options, 'scenarios' | 'subjects'> {
  const unknown = names.find((name) => !scenarioNames.includes(name) && !subjectNames.includes(name));
  if (unknown !== undefined) {
    throw new Error(
      `--only knows no "${unknown}"; there are ${[...scenarioNames, ...subjectNames].join(', ')}`,
    );
  }
  return {
    scenarios: undefinedIfEmpty(names.filter((name) => scenarioNames.includes(name))),
    subjects: undefinedIfEmpty(names.filter((name) => subjectNames.includes(name))),
  };
}

function undefinedIfEmpty(names: string[]): string[] | undefined {
  return names.length === 0 ? undefined : names;
}
