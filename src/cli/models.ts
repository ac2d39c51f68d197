import { parseArgs } from 'node:util';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { ADMIN_OPTIONS, ADMIN_USAGE, connectAdmin } from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { runParsed } from './run-parsed.ts';
import { formatTable, type TableColumn } from './table.ts';

const USAGE = `models retiring [--url URL] [--admin-key KEY] [--json]

Shows which models of a running gateway, and which targets behind them, are on their way out, where to move, and who
called them in the last 30 days.

  --json            the gateway's answer as JSON
${ADMIN_USAGE}

Exit code: 0 done, 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

const OPTIONS = { ...ADMIN_OPTIONS, json: { type: 'boolean', default: false } } as const;

/** `fairlead models`. */
export const modelsCommand: Command = {
  name: 'models',
  summary: 'show which models of a running gateway are on their way out, and who uses them',
  usage: USAGE,
  run: runModels,
};

async function runModels(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'models', usage: USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ positionals }) => (positionals.join(' ') === 'retiring' ? undefined : 'say what to show: retiring'),
    async ({ values }) => {
      const answer = await connectAdmin(values, io).ask('GET', '/retirements');
      io.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer));
      return EXIT.ok;
    },
  );
}

const COLUMNS: readonly TableColumn[] = [
  { title: 'retires', align: 'left' },
  { title: 'what', align: 'left' },
  { title: 'models', align: 'left' },
  { title: 'successor', align: 'left' },
  { title: 'used by', align: 'left' },
  { title: 'last', align: 'left' },
  { title: 'calls', align: 'right' },
];

/** A line for each who uses something, or for what nobody does. */
function describe({ data }: JsonObject): string {
  const retiring = (Array.isArray(data) ? data : []).filter(isObject);
  if (retiring.length === 0) return 'Nothing is known to be on its way out.\n';
  const rows = retiring.flatMap(({ retiresOn, name, isGone, models, successor, usedBy }) => {
    const what = `${name}${isGone === true ? ' (gone)' : ''}`;
    const leads = Array.isArray(models) ? models.join(', ') : '';
    const end = [String(retiresOn), what, leads, textOf(successor)];
    const users = (Array.isArray(usedBy) ? usedBy : []).filter(isObject);
    if (users.length === 0) return [[...end, '-', '-', '0']];
    return users.map(({ tenant, key, lastUsedOn, calls }) => [
      ...end,
      ...[`${tenant}/${key}`, String(lastUsedOn), String(calls)],
    ]);
  });
  return formatTable(COLUMNS, rows);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '-';
}
