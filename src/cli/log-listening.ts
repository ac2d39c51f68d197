import type { Logger } from 'pino';
import type { Config } from '../config/resolve.ts';

/** Says in the log that calls are taken. `workers`: the processes that take them, where those are others. */
export function logListening(
  log: Logger,
  { file, providers, models }: Config,
  at: { url: string; workers?: readonly number[] },
): void {
  const names = { providers: Object.keys(providers), models: Object.keys(models) };
  log.info({ ...at, config: file, ...names }, 'listening');
}
