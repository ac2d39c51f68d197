import type { Logger } from 'pino';
import { EXIT } from './command.ts';

/** How long a stop may take after a second signal: clients read the end of their answers, records go to the store. */
const LAST_WORK_MS = 5_000;

/** A terminal signals npm and the gateway alike, and npm hands its own on: within this time they are one. */
const SAME_SIGNAL_MS = 500;

type Signals = Record<'first' | 'second' | 'third', Promise<string>>;

/** To be called before anything listens: a signal that comes early must not be lost. */
export function waitForSignals(): Signals {
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

/** What signals end. */
export interface Stoppable {
  /** Resolves when everything has ended, with whether it ended well. `noTimeLeft`: what runs is ended. */
  stop(noTimeLeft: AbortSignal): Promise<boolean>;
  /** Ends at once what is not this process. */
  kill?(): void;
}

/** Waits for a signal and stops; gives the exit code. */
export async function stopBySignals(
  signals: Signals,
  log: Logger,
  { stop, kill }: Stoppable,
): Promise<number> {
  const signal = await signals.first;
  log.info({ signal }, 'draining: running calls may finish');
  // An impatient operator signals twice.
  const noTimeLeft = new AbortController();
  const exitNow = (why: string): never => {
    kill?.();
    // What the store does not have by now is in the journal, where the next start finds it.
    log.error({ why }, 'ended before everything was written: the next start does it');
    process.exit(EXIT.failed);
  };
  void signals.second.then((second) => {
    log.warn({ signal: second }, 'a second signal: running calls are ended');
    noTimeLeft.abort();
    setTimeout(() => exitNow('what is left to do takes too long'), LAST_WORK_MS).unref();
  });
  void signals.third.then(() => exitNow('a third signal'));
  const isWell = await stop(noTimeLeft.signal);
  log.info('stopped');
  return isWell && !noTimeLeft.signal.aborted ? EXIT.ok : EXIT.failed;
}
