import { parseArgs } from 'node:util';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { readReference } from '../prompts/versions.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { ADMIN_OPTIONS, ADMIN_USAGE, type AdminConnection, connectAdmin } from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { PROMPTS_TEST_USAGE, runPromptsTest } from './prompts-test.ts';
import { runParsed } from './run-parsed.ts';
import { alignColumns, formatTable } from './table.ts';

const USAGE = `prompts list [NAME]
       fairlead prompts test [NAME…]
       fairlead prompts diff NAME [FROM] [TO]
       fairlead prompts publish NAME[@VERSION] [--label LABEL]
       fairlead prompts promote NAME@VERSION [--label LABEL]
       fairlead prompts unlabel NAME LABEL
       fairlead prompts retire NAME[@VERSION] [--on DATE] [--successor NAME[@VERSION]]
       (each with [--url URL] [--admin-key KEY] [--json])

Shows the prompts of a running gateway and their versions, and moves them by hand. A VERSION is a number, a label, 'draft', or the
beginning of a hash.

  list              what there is; of one prompt all its versions
  diff              what two versions differ in: where they are not named, what is in production and the draft (else the newest)
  publish           puts a version in service (the draft, where none is named), and has the label point at it
  promote           has a label point at a version that is published
  unlabel           takes a label away; without 'production' the name alone is a 404, and versions are called by their numbers
  retire            ends a version, or the prompt with all of them: calls get a 410 with the successor

  --label LABEL     what points at it then; production where absent (of promote it may stand behind the version without '--label')
  --on DATE         when it ends (2027-01-31): until then its answers say so; at once where absent
  --successor WHAT  what to call instead; else what an earlier '--on' said, or the prompt's own name where another version is in production
  --json            the gateway's answer as JSON
${ADMIN_USAGE}

Exit code: 0 done, 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

const OPTIONS = {
  ...ADMIN_OPTIONS,
  label: { type: 'string' },
  on: { type: 'string' },
  successor: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** `fairlead prompts`. */
export function promptsCommand(declarations: readonly ProviderDeclaration[]): Command {
  return {
    name: 'prompts',
    summary:
      'test prompts, show their versions at a running gateway, and publish, promote, unlabel or retire them',
    usage: `${USAGE}\nfairlead ${PROMPTS_TEST_USAGE}`,
    run: async (args, io) => {
      const [word, ...rest] = args;
      return word === 'test' ? runPromptsTest(rest, io, declarations) : runPrompts(args, io);
    },
  };
}

interface Flags {
  label?: string | undefined;
  on?: string | undefined;
  successor?: string | undefined;
}

/** What each word takes: names behind it from so many to so many, and flags. */
const WORDS: Readonly<Record<string, { names: [number, number]; flags: (keyof Flags)[] }>> = {
  list: { names: [0, 1], flags: [] },
  diff: { names: [1, 3], flags: [] },
  publish: { names: [1, 1], flags: ['label'] },
  promote: { names: [1, 2], flags: ['label'] },
  unlabel: { names: [2, 2], flags: [] },
  retire: { names: [1, 1], flags: ['on', 'successor'] },
};

async function runPrompts(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'prompts', usage: USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ positionals, values }) => findMistake(positionals, values),
    async ({ positionals, values }) => {
      const [word = '', ...names] = positionals;
      const admin = connectAdmin(values, io);
      const { method, path, body } = requestOf(word, names, values);
      const answer = path === ALL ? await listAll(admin) : await admin.ask(method, path, body);
      io.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer));
      return EXIT.ok;
    },
  );
}

function findMistake([word = '', ...names]: string[], flags: Flags): string | undefined {
  const known = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  if (!known) return `say what to do: ${[...Object.keys(WORDS), 'test'].join(', ')}`;
  const [least, most] = known.names;
  if (names.length < least) return word === 'unlabel' ? 'name a prompt and its label' : 'name one prompt';
  if (names.length > most) return `'${names[most]}' is too much`;
  if (word === 'promote' && names.length > 1 && flags.label !== undefined)
    return `'${names[1]}' and '${flags.label}' are two labels`;
  for (const flag of ['label', 'on', 'successor'] as const)
    if (flags[flag] !== undefined && !known.flags.includes(flag)) return `${word} takes no --${flag}`;
  const { version } = readReference(names[0] ?? '');
  if (word === 'promote' && version === undefined) return 'name the version to promote: NAME@VERSION';
  if (['list', 'diff', 'unlabel'].includes(word) && version !== undefined)
    return `${word} takes the prompt's name, without a version`;
  return undefined;
}

const ALL = '/prompts';

/** Page by page. */
async function listAll(admin: AdminConnection): Promise<JsonObject> {
  const data: JsonValue[] = [];
  for (let cursor: JsonValue = ''; typeof cursor === 'string'; ) {
    const query = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await admin.ask('GET', `${ALL}?limit=1000${query}`);
    for (const prompt of Array.isArray(page['data']) ? page['data'] : []) data.push(prompt);
    cursor = page['nextCursor'] ?? null;
  }
  return { data };
}

interface AdminRequest {
  method: string;
  path: string;
  body?: JsonObject;
}

function requestOf(word: string, [reference = '', ...more]: string[], flags: Flags): AdminRequest {
  const { name, version } = readReference(reference);
  const path = `/prompts/${encodeURIComponent(name)}`;
  const chosen = version === undefined ? {} : { version };
  switch (word) {
    case 'list':
      return { method: 'GET', path: reference === '' ? ALL : path };
    case 'diff': {
      const [from, to] = more;
      const query = new URLSearchParams({ ...(from && { from }), ...(to && { to }) });
      return { method: 'GET', path: `${path}/diff?${query}` };
    }
    case 'unlabel':
      return { method: 'DELETE', path: `${path}/labels/${encodeURIComponent(more[0] ?? '')}` };
    case 'publish':
    case 'promote': {
      const label = flags.label ?? more[0];
      const body = { ...chosen, ...(label !== undefined && { label }) };
      return { method: 'POST', path: `${path}/${word}`, body };
    }
    default: {
      const { on, successor } = flags;
      const body = {
        ...chosen,
        ...(on !== undefined && { on }),
        ...(successor !== undefined && { successor }),
      };
      return { method: 'POST', path: `${path}/retire`, body };
    }
  }
}

function describe(answer: JsonObject): string {
  const { data, diff } = answer;
  if (typeof diff === 'string') return diff === '' ? 'They say the same.\n' : diff;
  return Array.isArray(data) ? describeList(data.filter(isObject)) : describeOne(answer);
}

function describeList(prompts: readonly JsonObject[]): string {
  if (prompts.length === 0) return 'There are no prompts.\n';
  return formatTable(
    alignColumns('left', ['prompt', 'production', 'state', 'labels', 'versions']),
    prompts.map(({ name, version, state, labels, versions }) => [
      ...[String(name), String(version ?? '-'), String(state)],
      ...[describeLabels(isObject(labels) ? labels : {}), String(versions)],
    ]),
  );
}

function describeLabels(labels: JsonObject): string {
  const told = Object.entries(labels).map(([label, number]) => `${label}=${number}`);
  return told.length === 0 ? '-' : told.join(' ');
}

function describeOne({ labels, versions }: JsonObject): string {
  const all = (Array.isArray(labels) ? labels : []).filter(isObject);
  const labelsOf = (version: JsonObject[string]) => {
    const own = all.filter((label) => label['version'] === version).map(({ label }) => String(label));
    return own.length === 0 ? '-' : own.join(' ');
  };
  return formatTable(
    alignColumns('left', ['version', 'hash', 'state', 'labels', 'made', 'by', 'ends', 'successor']),
    (Array.isArray(versions) ? versions : []).filter(isObject).map((one) => {
      const { version, hash, state, createdAt, author, retiresAt, successor } = one;
      return [
        ...[String(version), String(hash).slice(0, 12), String(state), labelsOf(version)],
        ...[String(createdAt), String(author), String(retiresAt ?? '-'), String(successor ?? '-')],
      ];
    }),
  );
}
