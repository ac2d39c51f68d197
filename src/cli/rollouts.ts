import { parseArgs } from 'node:util';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { COMMANDS } from '../rollouts/progress.ts';
import { ADMIN_OPTIONS, ADMIN_USAGE, connectAdmin } from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { describeReport } from './rollout-report.ts';
import { runParsed } from './run-parsed.ts';
import { alignColumns, formatTable } from './table.ts';

const USAGE = `rollouts list
       fairlead rollouts status NAME
       fairlead rollouts start|pause|resume|promote|rollback NAME
       fairlead rollouts approve|reject NAME
       fairlead rollouts releases MODEL
       (each with [--url URL] [--admin-key KEY] [--json])

Shows where rollouts stand at a running gateway, and moves them by hand. What they are is said in the configuration. Where one takes a
second person, somebody else than who wants it started or promoted approves or rejects that. A model's releases are all that it has
stood on or was to move to. status tells by step and side what calls came to, and by gate the verdict and what it goes by.

  --json            the gateway's answer as JSON
${ADMIN_USAGE}

Exit code: 0 done, 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

const OPTIONS = { ...ADMIN_OPTIONS, json: { type: 'boolean', default: false } } as const;

/** `fairlead rollouts`. */
export const rolloutsCommand: Command = {
  name: 'rollouts',
  summary: 'show where rollouts stand at a running gateway, and move them by hand',
  usage: USAGE,
  run: runRollouts,
};

async function runRollouts(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'rollouts', usage: USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ positionals }) => findMistake(positionals),
    async ({ positionals, values }) => {
      const [word = '', name = ''] = positionals;
      const admin = connectAdmin(values, io);
      const { method, path } = requestOf(word, encodeURIComponent(name));
      const answer = await admin.ask(method, path);
      io.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer, word));
      return EXIT.ok;
    },
  );
}

function requestOf(word: string, name: string): { method: string; path: string } {
  if (word === 'list') return { method: 'GET', path: '/rollouts' };
  if (word === 'status') return { method: 'GET', path: `/rollouts/${name}/report` };
  if (word === 'releases') return { method: 'GET', path: `/models/${name}/releases` };
  return { method: 'POST', path: `/rollouts/${name}/${word}` };
}

const WORDS = ['status', ...COMMANDS, 'approve', 'reject', 'releases'];

function findMistake([word = '', ...names]: string[]): string | undefined {
  if (word === 'list') return names.length === 0 ? undefined : 'list takes no name';
  if (!WORDS.includes(word)) return `say what to do: list, ${WORDS.join(', ')}`;
  if (names.length === 1) return undefined;
  return word === 'releases' ? 'name one model' : 'name one rollout';
}

const STANDING = [
  ...['rollout', 'moves', 'from', 'to', 'phase', 'step', 'weight', 'since'],
  ...['candidate calls', 'reason', 'waits for'],
];

function describe(answer: JsonObject, word: string): string {
  const { data, gates } = answer;
  if (word === 'releases') return describeReleases(Array.isArray(data) ? data.filter(isObject) : []);
  const rollouts = (Array.isArray(data) ? data : [answer]).filter(isObject);
  if (rollouts.length === 0) return 'There are no rollouts.\n';
  const standings = formatTable(
    alignColumns('left', STANDING),
    rollouts.map(({ name, phase, step, weight, since, candidateCalls, reason, ...more }) => [
      ...[
        String(name),
        describeMoved(more),
        describeRelease(more['stable']),
        describeRelease(more['candidate']),
        String(phase),
        step === null ? '-' : `${step}/${more['plannedSteps'] ?? more['steps']}`,
        `${weight} %`,
      ],
      ...[
        String(since ?? '-'),
        String(candidateCalls),
        describeReason(reason),
        describeApproval(more['approval']),
      ],
    ]),
  );
  return Array.isArray(gates) ? `${standings}\n${describeReport(answer)}` : standings;
}

function describeReason(reason: JsonObject[string]): string {
  if (!isObject(reason)) return '-';
  const { failure, by, approvedBy, isShortOfCalls, isShortOfUsers } = reason;
  if (isObject(failure)) return `worse: ${failure['what']}`;
  if (isShortOfUsers === true) return 'waits: errors, by few users';
  if (isShortOfCalls === true) return 'waits for calls';
  if (by === undefined) return '-';
  return approvedBy === undefined ? `by ${by}` : `by ${by}, approved by ${approvedBy}`;
}

function describeApproval(approval: JsonObject[string]): string {
  return isObject(approval) ? `approval to ${approval['wants']}, as ${approval['by']} wants` : '-';
}

/** A model, or the label of a prompt. */
function describeMoved({ model, prompt, label }: JsonObject): string {
  return prompt === undefined ? String(model) : `${prompt}@${label}`;
}

function describeRelease(release: JsonObject[string]): string {
  if (!isObject(release)) return '-';
  if (release['version'] !== undefined) return String(release['version']);
  const { target, account, release: number } = release;
  const place = account === undefined ? String(target) : `${target} at ${account}`;
  return number === null || number === undefined ? place : `${place} (${number})`;
}

function describeReleases(releases: readonly JsonObject[]): string {
  if (releases.length === 0) return 'There are no releases yet.\n';
  return formatTable(
    alignColumns('left', ['release', 'target', 'account', 'more', 'first seen', 'revision', 'current']),
    releases.map(({ release, target, account, firstSeen, revision, current, hash: _, ...more }) => [
      ...[String(release), String(target), String(account ?? '-')],
      ...[Object.keys(more).length === 0 ? '-' : JSON.stringify(more), String(firstSeen), String(revision)],
      current === true ? 'yes' : '-',
    ]),
  );
}
