import { parseArgs } from 'node:util';
import type { Logger } from 'pino';
import type { App } from '../app.ts';
import { describeDormant, listDormant } from '../config/dormant.ts';
import { type LoadedConfig, openConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import { openLog } from '../telemetry/redacting-log.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { type CliIo, type Command, EXIT } from './command.ts';

export function startCommand(declarations: readonly ProviderDeclaration[]): Command {
  return {
    name: 'start',
    summary: 'run the gateway',
    usage: `start [--config FILE]

Runs the gateway until it is told to stop (SIGTERM or Ctrl-C): then running calls finish, nothing new begins.
A second signal ends them, with an error that their clients are told and a record of what was sent, and exits with 1 within
some seconds; a third one at once. The config file is watched: what is changed in it is in effect within a second, and
running calls go on; SIGHUP has it read, too. A file that is wrong changes nothing, and the log says why.

  --config FILE   the configuration; else FAIRLEAD_CONFIG, else ./fairlead.yaml, else none: then providers come
                  from environment variables such as OPENAI_API_KEY, and 'echo' is always there
  PORT, HOST, FAIRLEAD_DATA and FAIRLEAD_ADMIN_KEY are read from the environment. FAIRLEAD_SECRET (32 random bytes as
  base64 or hex, or a passphrase) encrypts credentials that are stored; FAIRLEAD_SECRET_PREVIOUS is the one before,
  until 'fairlead secrets rotate' was run.`,
    run: (args, io) => run(args, io, declarations),
  };
}

async function run(args: string[], io: CliIo, declarations: readonly ProviderDeclaration[]): Promise<number> {
  let loaded: LoadedConfig;
  try {
    const { values } = parseArgs({ args, options: { config: { type: 'string' } } });
    loaded = await openConfig({
      configFile: values.config,
      env: io.env,
      cwd: io.cwd,
      knownProviders: declarations,
    });
  } catch (error) {
    const isConfig = error instanceof ConfigError;
    const message = error instanceof Error ? error.message : String(error);
    io.stderr.write(isConfig ? `${message}\n` : `fairlead start: ${message}\n\nSee fairlead start --help.\n`);
    return isConfig ? EXIT.failed : EXIT.usage;
  }
  const { config } = loaded;
  // A reader of our output that goes away (`fairlead start | head`) is no reason to stop serving.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const redacting = openLog(config.logging.level);
  const { log } = redacting;
  for (const use of listDormant(config)) log.warn({ event: 'config_not_in_effect' }, describeDormant(use));
  // Before anything listens: a signal that comes early must not be lost.
  const signals = waitForSignals();
  let app: App;
  try {
    // Only here: the gateway is most of the code, and `--help` and a wrong config need none of it.
    const { startApp } = await import('../app.ts');
    app = await startApp(loaded, declarations, redacting);
  } catch (error) {
    io.stderr.write(`fairlead could not start: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
  log.info(
    {
      url: app.url,
      config: config.file,
      providers: Object.keys(config.providers),
      models: Object.keys(config.models),
    },
    'listening',
  );
  process.on('SIGHUP', () => void app.reload());
  if (app.firstSecrets) io.stdout.write(welcome(app));
  const signal = await signals.first;
  log.info({ signal }, 'draining: running calls may finish');
  // An impatient operator signals twice.
  const noTimeLeft = new AbortController();
  void signals.second.then((second) => {
    log.warn({ signal: second }, 'a second signal: running calls are ended');
    noTimeLeft.abort();
    setTimeout(() => exitNow(log, 'what is left to do takes too long'), LAST_WORK_MS).unref();
  });
  void signals.third.then(() => exitNow(log, 'a third signal'));
  await app.stop(noTimeLeft.signal);
  log.info('stopped');
  return noTimeLeft.signal.aborted ? EXIT.failed : EXIT.ok;
}

/** How long a stop may take after a second signal: clients read the end of their answers, records go to the store. */
const LAST_WORK_MS = 5_000;

/** What the store does not have by now is in the journal, where the next start finds it. */
function exitNow(log: Logger, why: string): never {
  log.error({ why }, 'ended before everything was written: the next start does it');
  process.exit(EXIT.failed);
}

/** A terminal signals npm and the gateway alike, and npm hands its own on: within this time they are one. */
const SAME_SIGNAL_MS = 500;

function waitForSignals(): Record<'first' | 'second' | 'third', Promise<string>> {
  const resolvers: ((signal: string) => void)[] = [];
  const next = () => new Promise<string>((resolve) => resolvers.push(resolve));
  const signals = { first: next(), second: next(), third: next() };
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (nowMs - lastMs < SAME_SIGNAL_MS) return;
      lastMs = nowMs;
      resolvers.shift()?.(signal);
    });
  }
  return signals;
}

/** What a newcomer needs, once: secrets are stored only as hashes. */
function welcome({ url, firstSecrets }: App): string {
  const { tenant, admin } = firstSecrets ?? {};
  const parts = ['\nThis is the first start. What follows is shown once and cannot be shown again.\n'];
  if (tenant !== undefined) {
    parts.push(`
  Your key:   ${tenant}

  Try it (the model 'echo/echo' needs no provider):

    curl ${url}/v1/chat/completions \\
      -H "Authorization: Bearer ${tenant}" -H "Content-Type: application/json" \\
      -d '{"model": "echo/echo", "messages": [{"role": "user", "content": "Hello"}]}'

  Or with the OpenAI SDK:

    import OpenAI from 'openai';
    const client = new OpenAI({ baseURL: '${url}/v1', apiKey: '${tenant}' });
    const answer = await client.chat.completions.create({ model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] });
    console.log(answer.choices[0].message.content);
`);
  }
  if (admin !== undefined) {
    parts.push(`
  Admin key:  ${admin}

    curl ${url}/admin/v1/usage -H "Authorization: Bearer ${admin}"
`);
  }
  return `${parts.join('')}\n`;
}
