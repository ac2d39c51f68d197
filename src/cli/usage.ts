import { parseArgs } from 'node:util';
import type { KnownProvider } from '../config/known-provider.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { inputTokens, outputTokens } from '../conversation/usage.ts';
import { sumColumns, writeLines } from '../usage/export.ts';
import { STANDARD_TIER } from '../usage/filters.ts';
import { completeGroupings, GROUPINGS, sumUsage, type UsageQuery, type UsageSum } from '../usage/queries.ts';
import { parseQuery, usageQuerySchema } from '../usage/query-string.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { alignColumns, formatTable } from './table.ts';

const USAGE = `usage [--by LIST] [--from DATE] [--to DATE] [--tenant NAME] [--key NAME] [--model NAME]
               [--target NAME] [--tier NAME] [--prompt NAME] [--outcome NAME] [--json | --csv]
               [--config FILE | --store URL]

Sums the recorded calls: how many, how many failed, their tokens and what they cost. The gateway may be running.

  --by LIST       what to sum by: any of ${GROUPINGS.join(', ')}, with commas; tenant,model where absent
  --from DATE     calls that began on that day (UTC) or at that moment, or later
  --to DATE       calls that began before that day or moment
  --tenant, --key, --model, --target, --tier, --prompt, --outcome
                  only these calls; a tier is priority, flex, … or ${STANDARD_TIER}; the outcome is ok, failed, or a kind of error such as rate_limited
  --json          the sums as JSON, all kinds of tokens apart, costs in micro-dollars
  --csv           the same as CSV (RFC 4180), for spreadsheets
  --config FILE   the configuration that names the store, found as 'fairlead start' finds it
  --store URL     the store itself, e.g. sqlite:./data/fairlead.db or postgres://USER:PASSWORD@HOST/DATABASE

A cost is the sum of the calls whose price is known; 'unpriced' counts the others.

Exit code: 0 done, 1 the store or the configuration cannot be read, 2 the command line is wrong.
`;

const OPTIONS = {
  by: { type: 'string', default: 'tenant,model' },
  from: { type: 'string' },
  to: { type: 'string' },
  tenant: { type: 'string' },
  key: { type: 'string' },
  model: { type: 'string' },
  target: { type: 'string' },
  tier: { type: 'string' },
  prompt: { type: 'string' },
  outcome: { type: 'string' },
  json: { type: 'boolean', default: false },
  csv: { type: 'boolean', default: false },
  config: { type: 'string' },
  store: { type: 'string' },
} as const;

interface Arguments {
  query: UsageQuery;
  format: 'table' | 'json' | 'csv';
  config: string | undefined;
  store: string | undefined;
}

/** `fairlead usage`. `knownProviders`: the declarations that the gateway comes with. */
export function usageCommand(knownProviders: readonly KnownProvider[]): Command {
  return {
    name: 'usage',
    summary: 'show what was called, by whom, and what it cost',
    usage: USAGE,
    run: (args, io) => runUsage(args, io, knownProviders),
  };
}

async function runUsage(
  args: string[],
  io: CliIo,
  knownProviders: readonly KnownProvider[],
): Promise<number> {
  const read = readArguments(args);
  if ('mistake' in read) {
    io.stderr.write(`fairlead usage: ${read.mistake}\n\nUsage: fairlead ${USAGE}`);
    return EXIT.usage;
  }
  try {
    const url = read.store ?? (await findStore(read.config, io, knownProviders));
    const sums = await readSums(url, io.cwd, read.query);
    await writeSums(sums, read, io);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const problems =
      error instanceof ConfigError ? error.problems.map(formatProblem) : [`fairlead usage: ${error.message}`];
    for (const problem of problems) io.stderr.write(`${problem}\n`);
    return EXIT.failed;
  }
}

function readArguments(args: string[]): Arguments | { mistake: string } {
  try {
    const { values } = parseArgs({ args, options: OPTIONS });
    const { json, csv, config, store, ...query } = values;
    if (json && csv) return { mistake: 'give --json or --csv, not both' };
    if (config !== undefined && store !== undefined) return { mistake: 'give --config or --store, not both' };
    const format = json ? 'json' : csv ? 'csv' : 'table';
    return { query: parseQuery(usageQuerySchema, query), format, config, store };
  } catch (error) {
    // parseArgs throws a TypeError, parseQuery a GatewayError, both with a message for the user.
    if (error instanceof TypeError || error instanceof GatewayError) return { mistake: error.message };
    throw error;
  }
}

async function writeSums(sums: UsageSum[], { format, query }: Arguments, io: CliIo): Promise<void> {
  if (format === 'table') io.stdout.write(formatSums(sums));
  else if (format === 'json') io.stdout.write(`${JSON.stringify(sums, null, 2)}\n`);
  else {
    const columns = sumColumns(completeGroupings(query.groupBy));
    for await (const lines of writeLines([sums], columns, 'csv')) io.stdout.write(lines);
  }
}

async function findStore(
  configFile: string | undefined,
  io: CliIo,
  knownProviders: readonly KnownProvider[],
): Promise<string> {
  const { store } = await loadConfig({ configFile, env: io.env, cwd: io.cwd, knownProviders });
  return store.kind === 'sqlite' ? `sqlite:${store.path}` : store.url;
}

async function readSums(url: string, cwd: string, query: UsageQuery): Promise<UsageSum[]> {
  const { openStore } = await import('../store/open.ts');
  const store = await openStore(url, { readOnly: true, cwd });
  try {
    return await sumUsage(store, query);
  } finally {
    await store.close();
  }
}

const NUMBER_COLUMNS: { title: string; read: (sum: UsageSum) => string }[] = [
  { title: 'calls', read: ({ calls }) => String(calls) },
  { title: 'failed', read: ({ failed }) => String(failed) },
  { title: 'input', read: ({ tokens }) => String(inputTokens(tokens)) },
  { title: 'cached', read: ({ tokens }) => String(tokens.cacheRead) },
  { title: 'output', read: ({ tokens }) => String(outputTokens(tokens)) },
  { title: 'cost', read: ({ costMicroUsd }) => formatDollars(costMicroUsd) },
  { title: 'unpriced', read: ({ unpricedCalls }) => String(unpricedCalls) },
];

function formatSums(sums: readonly UsageSum[]): string {
  const [first] = sums;
  if (!first) return 'No calls.\n';
  // A sum by key names the tenant too, so the sums tell what they are by.
  const groupings = GROUPINGS.filter((grouping) => grouping in first);
  const numbers = NUMBER_COLUMNS.map(({ title }) => title);
  const columns = [...alignColumns('left', groupings), ...alignColumns('right', numbers)];
  const rows = sums.map((sum) => [
    ...groupings.map((grouping) => sum[grouping] ?? (grouping === 'tier' ? STANDARD_TIER : '-')),
    ...NUMBER_COLUMNS.map(({ read }) => read(sum)),
  ]);
  return formatTable(columns, rows);
}

function formatDollars(microUsd: number | null): string {
  if (microUsd === null) return '-';
  return microUsd > 0 && microUsd < 0.5 ? '<$0.000001' : `$${(microUsd / 1e6).toFixed(6)}`;
}
