import { parseArgs } from 'node:util';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { COMMANDS, type Command as Move } from '../rollouts/progress.ts';
import { ADMIN_OPTIONS, ADMIN_USAGE, connectAdmin } from './admin-client.ts';
import { readArguments, reportErrors } from './apply.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { formatTable, type TableColumn } from './table.ts';

const USAGE = `rollouts list
       fairlead rollouts status NAME
       fairlead rollouts start|pause|resume|promote|rollback NAME
       (each with [--url URL] [--admin-key KEY] [--json])

Shows where rollouts stand at a running gateway, and moves them by hand. What they are is said in the configuration.

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
  const parsed = readArguments(() => parseArgs({ args, options: OPTIONS, allowPositionals: true }));
  const mistake = 'mistake' in parsed ? parsed.mistake : findMistake(parsed.positionals);
  if ('mistake' in parsed || mistake !== undefined) {
    io.stderr.write(`fairlead rollouts: ${mistake}\n\nUsage: fairlead ${USAGE}`);
    return EXIT.usage;
  }
  const { positionals, values } = parsed;
  const [word = '', name = ''] = positionals;
  return reportErrors('rollouts', io, async () => {
    const admin = connectAdmin(values, io);
    const path = `/rollouts/${encodeURIComponent(name)}`;
    const answer =
      word === 'list'
        ? await admin.ask('GET', '/rollouts')
        : word === 'status'
          ? await admin.ask('GET', `${path}/report`)
          : await admin.ask('POST', `${path}/${word}`);
    io.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer));
    return EXIT.ok;
  });
}

function findMistake([word = '', ...names]: string[]): string | undefined {
  if (word === 'list') return names.length === 0 ? undefined : 'list takes no name';
  if (word !== 'status' && !COMMANDS.includes(word as Move))
    return `say what to do: list, status, ${COMMANDS.join(', ')}`;
  return names.length === 1 ? undefined : 'name one rollout';
}

function describe(answer: JsonObject): string {
  const { data, gates } = answer;
  const rollouts = (Array.isArray(data) ? data : [answer]).filter(isObject);
  if (rollouts.length === 0) return 'There are no rollouts.\n';
  const standings = formatTable(
    columns('rollout', 'model', 'phase', 'step', 'weight', 'since', 'candidate calls', 'reason'),
    rollouts.map(({ name, model, phase, step, steps, weight, since, candidateCalls, reason }) => [
      ...[
        String(name),
        String(model),
        String(phase),
        step === null ? '-' : `${step}/${steps}`,
        `${weight} %`,
      ],
      ...[String(since ?? '-'), String(candidateCalls), describeReason(reason)],
    ]),
  );
  return Array.isArray(gates) ? `${standings}\n${describeGates(gates.filter(isObject))}` : standings;
}

function columns(...titles: string[]): TableColumn[] {
  return titles.map((title) => ({ title, align: 'left' }));
}

function describeReason(reason: JsonObject[string]): string {
  if (!isObject(reason)) return '-';
  const { failure, by } = reason;
  if (isObject(failure)) return `worse: ${failure['what']}`;
  return by === undefined ? '-' : `by ${by}`;
}

export function describeGates(gates: readonly JsonObject[]): string {
  return formatTable(
    columns('gate', 'against', 'stable', 'candidate', 'chance if as good'),
    gates.map(({ what, gate, stable, candidate, chance }) => [
      ...[String(what), String(gate), describeSide(stable), describeSide(candidate)],
      Number(chance) < 0.001 ? Number(chance).toExponential(1) : Number(chance).toFixed(3),
    ]),
  );
}

/** What the calls of a side came to, on average. */
function describeSide(side: JsonObject[string]): string {
  if (!isObject(side) || Number(side['calls']) === 0) return '-';
  const calls = Number(side['calls']);
  return `${Number((Number(side['sum']) / calls).toPrecision(3))} of ${calls}`;
}
