import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { LoadedConfig } from '../config/load.ts';
import type { RedactingLog } from '../telemetry/redacting-log.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { StartFailure } from '../workers/member.ts';
import type { WorkerLink } from '../workers/worker-link.ts';
import { Workers } from '../workers/workers.ts';
import { type CliIo, EXIT } from './command.ts';
import { logListening } from './log-listening.ts';
import { enterSteadyState } from './steady-state.ts';
import { stopBySignals, waitForSignals } from './stop-signals.ts';
import { welcome } from './welcome.ts';

/** Runs the gateway as several processes, of which this one serves no calls: it starts, replaces and ends the others. */
export async function runWorkers(
  { config }: LoadedConfig,
  count: number,
  log: Logger,
  { stderr }: CliIo,
): Promise<number> {
  if (cluster.isWorker) {
    stderr.write(
      'fairlead could not start: a worker of another program has no workers; set server.workers to 1\n',
    );
    return EXIT.failed;
  }
  const { host, port, drainTimeout } = config.server;
  const workers = new Workers({
    ...{ count, port, drainTimeoutMs: drainTimeout, log },
    // It stands for two addresses, of which a worker can give up one without failing calls.
    host: host === 'localhost' ? '127.0.0.1' : host,
  });
  const signals = waitForSignals();
  process.on('SIGHUP', () => workers.reload());
  process.on('SIGUSR2', () => void workers.restart());
  let url: string;
  try {
    url = await workers.start();
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    stderr.write(`fairlead could not start: ${error.message}\n`);
    return error.exit.code || EXIT.failed;
  }
  logListening(log, config, { url, workers: workers.pids });
  return stopBySignals(signals, log, {
    stop: (noTimeLeft) => {
      noTimeLeft.addEventListener('abort', () => workers.hurry());
      return workers.stop();
    },
    kill: () => workers.kill(),
  });
}

/** Runs one of them, until its primary lets it go. */
export async function runWorker(
  link: WorkerLink,
  loaded: LoadedConfig,
  declarations: readonly ProviderDeclaration[],
  redacting: RedactingLog,
  { stdout, stderr }: CliIo,
): Promise<number> {
  const { number } = link.seat;
  const log = redacting.log.child({ worker: number });
  try {
    // The file may be another one than that of the primary.
    if (loaded.config.state.kind !== 'redis') throw new Error('several workers need a `state` in a Redis');
    const { startApp } = await import('../app.ts');
    const app = await startApp(loaded, declarations, { ...redacting, log }, fetch, link);
    if (app.firstSecrets) stdout.write(welcome(app));
    enterSteadyState();
    link.serve(app, app.url);
    log.info({ event: 'worker_listening' }, 'the worker takes calls');
    await Promise.race([link.left.then(() => app.leave(link.ended)), link.stopped]);
    await app.stop(link.hurried);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    stderr.write(`fairlead could not start worker ${number}: ${reason}\n`);
    return EXIT.failed;
  }
  return link.hurried.aborted ? EXIT.failed : EXIT.ok;
}
