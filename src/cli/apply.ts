import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { ADMIN_OPTIONS, ADMIN_USAGE, connectAdmin, readWritten } from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { runParsed } from './run-parsed.ts';

const APPLY_USAGE = `apply FILE [--url URL] [--admin-key KEY]

Makes FILE the admin API's part of a running gateway's configuration, as a whole: what is not in it any more is taken
away (an empty FILE is refused; {} takes all away). What the gateway's own config file declares stays with that file; a
name in both is an error. Of a tenant of that file, keys and grants can be made: write nothing else of it. Placeholders
(\${NAME}) are filled in by the gateway, from its environment.

${ADMIN_USAGE}

Exit code: 0 done (also where nothing changed), 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

const DIFF_USAGE = `diff FILE [--url URL] [--admin-key KEY]

Shows what 'apply FILE' would change, and changes nothing.

${ADMIN_USAGE}

Exit code: 0 nothing would change, 3 something would, 1 the gateway would refuse or cannot be reached,
2 the command line is wrong.
`;

const EXPORT_USAGE = `export [--owner api|file|all] [--url URL] [--admin-key KEY]

Writes the configuration of a running gateway as YAML, without secrets: keys are there as hashes, credentials as the
placeholders that they were written as, or as marks where the gateway has them encrypted. What it writes can be given to
'apply' of the same gateway again.

  --owner WHOSE     the admin API's part (what 'apply' makes), the config file's, or both; api where absent
${ADMIN_USAGE}

Exit code: 0 done, 1 the gateway cannot be reached or refused, 2 the command line is wrong.
`;

/** The exit code of a diff that is not empty. 1 is an error, as with all commands. */
const EXIT_DIFFERS = 3;

export const applyCommand: Command = {
  name: 'apply',
  summary: "make a file the admin API's part of a running gateway's configuration",
  usage: APPLY_USAGE,
  run: (args, io) => runWithFile('apply', APPLY_USAGE, args, io),
};

export const diffCommand: Command = {
  name: 'diff',
  summary: 'show what apply would change',
  usage: DIFF_USAGE,
  run: (args, io) => runWithFile('diff', DIFF_USAGE, args, io),
};

export const exportCommand: Command = {
  name: 'export',
  summary: 'write the configuration of a running gateway as YAML',
  usage: EXPORT_USAGE,
  run: runExport,
};

async function runWithFile(
  name: 'apply' | 'diff',
  usage: string,
  args: string[],
  io: CliIo,
): Promise<number> {
  return runParsed(
    { name, usage, io },
    () => parseArgs({ args, options: ADMIN_OPTIONS, allowPositionals: true }),
    ({ positionals }) => (positionals.length === 1 ? undefined : 'name one file'),
    async ({ positionals: [file = ''], values }) => {
      const written = await readWritten(file, io.cwd);
      const admin = connectAdmin(values, io);
      const query = name === 'diff' ? '?dryRun=true' : '';
      const answer = await admin.ask('PUT', `/config${query}`, written);
      io.stdout.write(describeChanges(answer));
      const count = Number(answer['changeCount']);
      if (name === 'diff') return count === 0 ? EXIT.ok : EXIT_DIFFERS;
      const revision = String(answer['revision']);
      io.stdout.write(
        count === 0 ? `Nothing changed: revision ${revision}.\n` : `Revision ${revision} is in force.\n`,
      );
      return EXIT.ok;
    },
  );
}

const OWNERS = ['api', 'file', 'all'];

async function runExport(args: string[], io: CliIo): Promise<number> {
  const options = { ...ADMIN_OPTIONS, owner: { type: 'string', default: 'api' } } as const;
  return runParsed(
    { name: 'export', usage: EXPORT_USAGE, io },
    () => parseArgs({ args, options }),
    ({ values: { owner } }) =>
      OWNERS.includes(owner) ? undefined : `--owner: give one of ${OWNERS.join(', ')}`,
    async ({ values }) => {
      const owner = encodeURIComponent(values.owner);
      const document = await connectAdmin(values, io).ask('GET', `/config?owner=${owner}`);
      io.stdout.write(toYaml(document));
      return EXIT.ok;
    },
  );
}

/** Text with a placeholder in quotes: without them it would be read as what the variable says, not as text. */
export function toYaml(document: JsonObject): string {
  return stringify(document, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });
}

const SIGNS: Readonly<Record<string, string>> = { made: '+', removed: '-', changed: '~' };

/** One line an entry, and below what was changed in it. */
function describeChanges(answer: JsonObject): string {
  const changes = Array.isArray(answer['changes']) ? answer['changes'].filter(isObject) : [];
  const lines = changes.flatMap((change) => {
    const head = `${SIGNS[String(change['what'])] ?? '?'} ${change['kind']} ${change['name']}`;
    return change['what'] === 'changed'
      ? [head, ...describeFields(change['before'], change['after'])]
      : [head];
  });
  const more = Number(answer['changeCount']) - changes.length;
  if (more > 0) lines.push(`… and ${more} more`);
  return lines.map((line) => `${line}\n`).join('');
}

function describeFields(before: JsonValue | undefined, after: JsonValue | undefined): string[] {
  const [left, right] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
  const fields = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return fields.flatMap((field) => {
    const [was, is] = [JSON.stringify(left[field]), JSON.stringify(right[field])];
    return was === is ? [] : [`    ${field}: ${was ?? '(none)'} → ${is ?? '(none)'}`];
  });
}
