import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import { Evidence } from '../rollouts/evidence.ts';
import type { GateLimits } from '../rollouts/gates.ts';
import type { Observation } from '../rollouts/observation.ts';
import { reportGate } from '../rollouts/report.ts';
import type { Scores } from '../usage/rollout-note.ts';
import {
  ADMIN_OPTIONS,
  ADMIN_USAGE,
  type AdminConnection,
  AdminError,
  connectAdmin,
} from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { describeGates } from './rollout-report.ts';
import { runParsed } from './run-parsed.ts';

const USAGE = `rehearse ROLLOUT [--calls FILE] [--limit N] [--concurrency N] [--json] [--url URL] [--admin-key KEY]

Makes calls again at a rollout's candidate, before any user meets it, and compares what both sides came to, by the rollout's
gates. The calls are captured ones of its model (the newest), or those of a file.

  --calls FILE      a request a line, as JSON: { "url": "/v1/responses", "body": { … } } as batches have them, or a body of chat
                    completions alone. The model in it does not matter
  --limit N         so many calls at the most; 200 where absent
  --concurrency N   so many at a time; 4 where absent
  --json            the comparison as JSON
${ADMIN_USAGE}

The calls cost the operator: they are no tenant's, and no evidence of the rollout itself.

Exit code: 0 the candidate keeps to the gates, 1 it does not, no call could be made, or the gateway refused or cannot be reached
(what was known by then is told), 2 the command line is wrong.
`;

const OPTIONS = {
  ...ADMIN_OPTIONS,
  calls: { type: 'string' },
  limit: { type: 'string', default: '200' },
  concurrency: { type: 'string', default: '4' },
  json: { type: 'boolean', default: false },
} as const;

/** A call may take as long as its model may. */
const CALL_TIMEOUT_MS = 30 * 60_000;
const MOST_CALLS = 10_000;
const MOST_AT_ONCE = 100;
/** Refusals that are about the request itself: others may be made all the same. */
const OF_ONE_CALL: readonly (number | undefined)[] = [400, 413];
/** How often it is told how far it is. */
const TELL_EVERY = 20;

/** `fairlead rehearse`. */
export const rehearseCommand: Command = {
  name: 'rehearse',
  summary: "make calls again at a rollout's candidate, and compare",
  usage: USAGE,
  run: runRehearse,
};

async function runRehearse(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'rehearse', usage: USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ positionals, values }) => findMistake(positionals, values),
    async ({ positionals, values }) => {
      const [name = ''] = positionals;
      const admin = connectAdmin(values, io);
      const limit = Number(values.limit);
      const path = `/rollouts/${encodeURIComponent(name)}/rehearsal`;
      const isOfFile = values.calls !== undefined;
      const { limits, calls } = await admin.ask('GET', `${path}?limit=${isOfFile ? 0 : limit}`);
      const requests = isOfFile
        ? await readRequests(resolve(io.cwd, values.calls ?? ''), limit)
        : Array.isArray(calls)
          ? calls.map((call) => ({ call }))
          : [];
      // All that there is to say is said when the last call was made.
      const evidence = new Evidence({ ...(isObject(limits) ? (limits as GateLimits) : {}), minCalls: 1 });
      const rehearsal = new Rehearsing(admin, path, evidence, io);
      await rehearsal.run(requests, Number(values.concurrency));
      const { made, stopped } = rehearsal;
      if (made === 0) throw stopped ?? new AdminError(rehearsal.describeNothing());
      const { failure } = evidence;
      io.stdout.write(values.json ? writeJson(name, rehearsal) : describe(rehearsal));
      if (stopped) throw stopped;
      return failure ? EXIT.failed : EXIT.ok;
    },
  );
}

function findMistake(
  names: readonly string[],
  { limit, concurrency }: { limit: string; concurrency: string },
): string | undefined {
  if (names.length !== 1) return 'name one rollout';
  if (!isBetween(limit, MOST_CALLS)) return `--limit is a whole number from 1 to ${MOST_CALLS}`;
  if (!isBetween(concurrency, MOST_AT_ONCE))
    return `--concurrency is a whole number from 1 to ${MOST_AT_ONCE}`;
  return undefined;
}

function isBetween(text: string, most: number): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}

/** @throws AdminError naming the line that is none */
async function readRequests(file: string, limit: number): Promise<JsonObject[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new AdminError(`${file} cannot be read (${error.code ?? error.message})`);
  });
  const requests: JsonObject[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || requests.length >= limit) continue;
    const value = tryParseJson(line);
    if (!isObject(value)) throw new AdminError(`${file}:${index + 1} is no JSON object`);
    const { url, body = value } = value;
    if (!isObject(body) || !['string', 'undefined'].includes(typeof url))
      throw new AdminError(`${file}:${index + 1} is neither { url, body } nor a body of chat completions`);
    requests.push(url === undefined ? { body } : { url, body });
  }
  return requests;
}

/** Calls that are made again, some at a time, and what they come to. */
class Rehearsing {
  readonly evidence: Evidence;
  /** Of the candidate. */
  made = 0;
  readonly skipped: string[] = [];
  /** Why not all were made. What was is paid for, and told. */
  stopped: AdminError | undefined;
  readonly #admin: AdminConnection;
  readonly #path: string;
  readonly #io: CliIo;
  #done = 0;

  constructor(admin: AdminConnection, path: string, evidence: Evidence, io: CliIo) {
    this.#admin = admin;
    this.#path = path;
    this.evidence = evidence;
    this.#io = io;
  }

  async run(requests: readonly JsonObject[], concurrency: number): Promise<void> {
    let begun = 0;
    const work = async () => {
      while (!this.stopped) {
        const request = requests[begun++];
        if (!request) return;
        try {
          this.#learn(await this.#admin.ask('POST', this.#path, request, CALL_TIMEOUT_MS));
        } catch (error) {
          if (!(error instanceof AdminError)) throw error;
          if (!OF_ONE_CALL.includes(error.status)) {
            this.stopped ??= error;
            return;
          }
          this.skipped.push(error.message);
        }
        this.#done += 1;
        if (this.#done % TELL_EVERY === 0 || this.#done === requests.length)
          this.#io.stderr.write(`${this.#done} of ${requests.length} calls\n`);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  describeNothing(): string {
    const [first] = this.skipped;
    return first === undefined
      ? "there are no calls: none of the model are captured (tenants' capture), or the file is empty"
      : `no call could be made again: ${first}`;
  }

  #learn({ stable, candidate, scores, skipped }: JsonObject): void {
    if (typeof skipped === 'string') this.skipped.push(skipped);
    for (const side of [stable, candidate])
      if (isObject(side)) this.evidence.observe(side as unknown as Observation);
    if (isObject(scores)) this.evidence.observeScores(scores as unknown as Scores);
    if (scores === 'unread') this.evidence.observeScores(undefined);
    if (isObject(candidate)) this.made += 1;
  }
}

function writeJson(rollout: string, { evidence, made, skipped, stopped }: Rehearsing): string {
  const gates = evidence.readings().map(reportGate);
  const failure = evidence.failure ?? null;
  const { unreadScores = 0 } = evidence.state;
  const told = { rollout, calls: made, skipped, stopped: stopped?.message ?? null, unreadScores };
  return `${JSON.stringify({ ...told, failure, gates }, null, 2)}\n`;
}

function describe({ evidence, made, skipped }: Rehearsing): string {
  const gates = evidence.readings().map(reportGate);
  const { failure } = evidence;
  const reasons = [...new Set(skipped)].map(
    (reason) => `${skipped.filter((one) => one === reason).length} skipped: ${reason}`,
  );
  const { unreadScores = 0 } = evidence.state;
  if (unreadScores > 0)
    reasons.push(`${unreadScores} pairs were not scored: what the judge says cannot be read`);
  const verdict = failure
    ? `The candidate is worse by its ${failure.what} (a mistake of fewer than ${failure.mistake.toPrecision(1)}).`
    : `Nothing says that the candidate is worse, by ${made} calls.`;
  const lines = [...reasons, verdict].map((line) => `${line}\n`);
  return `${describeGates(gates as unknown as JsonObject[])}\n${lines.join('')}`;
}
