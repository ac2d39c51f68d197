import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios.ts';
import { SUBJECTS } from './subjects/all.ts';

export interface Options {
  help: boolean;
  quick: boolean;
  json: boolean;
  assert: boolean;
  /** Neither shortened nor narrowed: such a run has a line in the history. */
  isFull: boolean;
  rounds: number;
  /** Names to keep, or undefined for all. */
  scenarios: string[] | undefined;
  subjects: string[] | undefined;
}

const ROUNDS = { quick: 2, full: 5 };

const scenarioNames = SCENARIOS.map((scenario) => scenario.name);
const subjectNames = SUBJECTS.map((subject) => subject.name);

const flag = { type: 'boolean', default: false } as const;

/** Every option: as `parseArgs` takes it, and what the help says of it (`value` names what it takes). */
const OPTIONS = {
  quick: { ...flag, says: ['within two minutes: fewer and shorter rounds'] },
  rounds: {
    type: 'string',
    value: 'N',
    says: [`measured rounds (default ${ROUNDS.full}, with --quick ${ROUNDS.quick})`],
  },
  only: {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'NAMES',
    says: [
      'only these scenarios and subjects, comma-separated; may be given again',
      `scenarios: ${listNames(SCENARIOS.filter(({ byNameOnly }) => !byNameOnly))}`,
      `with --quick only by their names: ${listNames(SCENARIOS.filter(({ byNameOnly }) => byNameOnly === 'quick'))}`,
      `only by their names: ${listNames(SCENARIOS.filter(({ byNameOnly }) => byNameOnly === true))}`,
      `subjects: ${subjectNames.join(', ')}`,
    ],
  },
  assert: { ...flag, says: ['fail when a budget of bench/budgets.ts is missed or could not be measured'] },
  json: { ...flag, says: ['print the results as JSON instead of tables'] },
  help: { ...flag, says: ['show this'] },
} as const;

export const HELP = `Usage: npm run bench -- [options]

What calls, streams and their waiting cost: Fairlead and its peers side by side, in turns.

${Object.entries(OPTIONS).map(renderOption).join('\n')}

The results are also written to bench/results/latest.json; a full run adds a line to bench/history.jsonl.`;

function listNames(scenarios: readonly { name: string }[]): string {
  return scenarios.map(({ name }) => name).join(', ');
}

function renderOption([name, option]: [string, { says: readonly string[]; value?: string }]): string {
  const usage = [`--${name}`, ...(option.value === undefined ? [] : [option.value])].join(' ');
  return option.says.map((line, index) => `  ${(index === 0 ? usage : '').padEnd(13)}  ${line}`).join('\n');
}

/** Reads the command line. Throws with a sentence for the user when it is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { rounds, only, ...flags } = values;
  return {
    ...flags,
    isFull: !flags.quick && rounds === undefined && only.length === 0,
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
