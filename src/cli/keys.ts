import { parseArgs } from 'node:util';
import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import {
  ADMIN_OPTIONS,
  ADMIN_USAGE,
  type AdminConnection,
  AdminError,
  connectAdmin,
} from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { runParsed } from './run-parsed.ts';
import { alignColumns, formatTable } from './table.ts';

const USAGE = `keys create TENANT NAME [--models LIST] [--expires DATE]
       fairlead keys list TENANT
       fairlead keys rotate TENANT NAME [--overlap DURATION] [--replace]
       fairlead keys revoke TENANT NAME
       (each with [--url URL] [--admin-key KEY] [--json])

Makes, lists, rotates and revokes the keys of a tenant at a running gateway. A secret is printed once, and stored nowhere.

  --models LIST     models that the key may use, of those of its tenant: names or patterns, with commas
  --expires DATE    from this day (UTC) or moment on the key is refused
  --overlap TIME    how long the secret before is still valid, e.g. 30m, 1h, 7d; 1h where absent, 0s for not at all
  --replace         ends the secret that an earlier rotation left valid for longer; without it that is refused
  --json            the gateway's answer as JSON
${ADMIN_USAGE}

Exit code: 0 done, 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

const OPTIONS = {
  ...ADMIN_OPTIONS,
  models: { type: 'string' },
  expires: { type: 'string' },
  overlap: { type: 'string' },
  replace: { type: 'boolean' },
  json: { type: 'boolean', default: false },
} as const;

interface Flags {
  models?: string | undefined;
  expires?: string | undefined;
  overlap?: string | undefined;
  replace?: boolean | undefined;
}

interface Action {
  /** How many words follow: TENANT, or TENANT NAME. */
  words: 1 | 2;
  flags: readonly (keyof Flags)[];
  ask(admin: AdminConnection, path: string, name: string, flags: Flags): Promise<JsonObject>;
  describe(answer: JsonObject): string;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  create: {
    words: 2,
    flags: ['models', 'expires'],
    ask: (admin, path, name, { models, expires }) =>
      admin.ask('POST', path, {
        name,
        ...(models !== undefined && { models: models.split(',').map((model) => model.trim()) }),
        ...(expires !== undefined && { expires }),
      }),
    describe: describeSecret,
  },
  list: { words: 1, flags: [], ask: (admin, path) => listAll(admin, path), describe: describeList },
  rotate: {
    words: 2,
    flags: ['overlap', 'replace'],
    ask: (admin, path, name, { overlap, replace }) =>
      admin.ask('POST', `${path}/${encodeURIComponent(name)}/rotate`, {
        ...(overlap !== undefined && { overlap }),
        ...(replace !== undefined && { replace }),
      }),
    describe: describeSecret,
  },
  revoke: {
    words: 2,
    flags: [],
    ask: (admin, path, name) => admin.ask('DELETE', `${path}/${encodeURIComponent(name)}`),
    describe: () => 'Revoked.\n',
  },
};

/** `fairlead keys`. */
export const keysCommand: Command = {
  name: 'keys',
  summary: "make, list, rotate and revoke a tenant's keys at a running gateway",
  usage: USAGE,
  run: runKeys,
};

async function runKeys(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'keys', usage: USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ positionals, values }) => findMistake(positionals, values),
    async ({ positionals, values }) => {
      const [word = '', tenant = '', name = ''] = positionals;
      const action = ACTIONS[word];
      if (!action) return EXIT.usage;
      const path = `/tenants/${encodeURIComponent(tenant)}/keys`;
      const answer = await action.ask(connectAdmin(values, io), path, name, values).catch(tellInFlags);
      io.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : action.describe(answer));
      return EXIT.ok;
    },
  );
}

function findMistake([word = '', ...words]: string[], flags: Flags): string | undefined {
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (!action) return `say what to do: ${Object.keys(ACTIONS).join(', ')}`;
  if (words.length !== action.words)
    return action.words === 1 ? 'name one tenant' : 'name a tenant and a key';
  const all = ['models', 'expires', 'overlap', 'replace'] as const;
  const untaken = all.find((flag) => flags[flag] !== undefined && !action.flags.includes(flag));
  return untaken && `'keys ${word}' takes no --${untaken}`;
}

/** The gateway says what a body could say, `{"overlap": "0s"}`: here that is a flag. */
function tellInFlags(error: unknown): never {
  if (!(error instanceof AdminError)) throw error;
  const inFlags = error.message.replace(/\{"(\w+)": (?:true|"(\w+)")\}/g, (_body, flag, value) =>
    value === undefined ? `--${flag}` : `--${flag} ${value}`,
  );
  throw new AdminError(inFlags);
}

async function listAll(admin: AdminConnection, path: string): Promise<JsonObject> {
  const data: JsonObject[] = [];
  for (let cursor = ''; ; ) {
    const page = await admin.ask('GET', `${path}?limit=1000${cursor}`);
    appendAll(data, Array.isArray(page['data']) ? page['data'].filter(isObject) : []);
    if (typeof page['nextCursor'] !== 'string') return { data };
    cursor = `&cursor=${encodeURIComponent(page['nextCursor'])}`;
  }
}

function describeSecret({ secret }: JsonObject): string {
  return `${secret}\n`;
}

function describeList({ data }: JsonObject): string {
  const keys = Array.isArray(data) ? data.filter(isObject) : [];
  if (keys.length === 0) return 'No keys.\n';
  const columns = alignColumns('left', ['name', 'owner', 'models', 'expires']);
  const rows = keys.map(({ name, owner, models, expires }) => [
    String(name),
    String(owner),
    Array.isArray(models) ? models.join(',') : '-',
    String(expires ?? '-'),
  ]);
  return formatTable(columns, rows);
}
