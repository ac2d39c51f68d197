import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type LoadedConfig, openConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { App } from '../running-app.ts';
import { openLog } from '../telemetry/redacting-log.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { openLink, type WorkerLink } from '../workers/worker-link.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { logListening } from './log-listening.ts';
import { enterSteadyState } from './steady-state.ts';
import { stopBySignals, waitForSignals } from './stop-signals.ts';
import { welcome } from './welcome.ts';

export function startCommand(declarations: readonly ProviderDeclaration[]): Command {
  return {
    name: 'start',
    summary: 'run the gateway',
    usage: `start [--config FILE]

Runs the gateway until it is told to stop (SIGTERM or Ctrl-C): then running calls finish, nothing new begins.
A second signal ends them, with an error that their clients are told and a record of what was sent, and exits with 1 within
some seconds; a third one at once. The config file is watched: what is changed in it is in effect within a second, and
running calls go on; SIGHUP has it read, too. A file that is wrong changes nothing, and the log says why.

With server.workers above 1 this process starts as many others, which serve the calls, and replaces those that end.
SIGUSR2 replaces all of them one by one by new ones, without failing a call: they run what is on disk then.

  --config FILE   the configuration; else FAIRLEAD_CONFIG, else ./fairlead.yaml, else none: then providers come
                  from environment variables such as OPENAI_API_KEY, and 'echo' is always there
  PORT, HOST, FAIRLEAD_DATA and FAIRLEAD_ADMIN_KEY are read from the environment. FAIRLEAD_SECRET (32 random bytes as
  base64 or hex, or a passphrase) encrypts credentials that are stored; FAIRLEAD_SECRET_PREVIOUS is the one before,
  until 'fairlead secrets rotate' was run.`,
    run: (args, io) => run(args, io, declarations),
  };
}

async function run(args: string[], io: CliIo, declarations: readonly ProviderDeclaration[]): Promise<number> {
  const link = openLink(io.env);
  try {
    return await start(args, io, declarations, link);
  } finally {
    // Until then a worker that has ended would stay.
    await link?.close();
  }
}

async function start(
  args: string[],
  io: CliIo,
  declarations: readonly ProviderDeclaration[],
  link: WorkerLink | undefined,
): Promise<number> {
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
  if (link) {
    const { runWorker } = await import('./start-workers.ts');
    return runWorker(link, loaded, declarations, redacting, io);
  }
  const { workers } = config.server;
  const count = workers === 'auto' ? availableParallelism() : workers;
  if (count > 1) {
    const { runWorkers } = await import('./start-workers.ts');
    return runWorkers(loaded, count, log, io);
  }
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
  enterSteadyState();
  logListening(log, config, { url: app.url });
  process.on('SIGHUP', () => void app.reload());
  if (app.firstSecrets) io.stdout.write(welcome(app));
  return stopBySignals(signals, log, {
    stop: async (noTimeLeft) => {
      await app.stop(noTimeLeft);
      return true;
    },
  });
}
