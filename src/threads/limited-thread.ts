import { once } from 'node:events';
import { parentPort, type ResourceLimits, Worker } from 'node:worker_threads';

type Answer<Result> = { result: Result } | { error: string };

export interface LimitedThreadOptions {
  /** What the thread runs: it calls `answerTasks`. */
  script: URL;
  /** A task that takes longer is given up, and its thread with it. */
  limitMs: number;
  resourceLimits?: ResourceLimits;
}

/**
 * Does work on a thread of its own, one task at a time, that may take for ever: what tenants have expressions and schemas for holds up no
 * calls. An idle thread does not keep the process alive.
 */
export class LimitedThread<Task, Result> {
  readonly #options: LimitedThreadOptions;
  #worker: Promise<Worker> | undefined;

  constructor(options: LimitedThreadOptions) {
    this.#options = options;
  }

  /** To be called again when it has answered. `undefined` where it took too long. Rejects where the thread fails. */
  async run(task: Task): Promise<{ result: Result } | undefined> {
    this.#worker ??= startWorker(this.#options);
    const worker = await this.#worker.catch((error: unknown) => {
      this.#worker = undefined;
      throw error;
    });
    worker.ref();
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), this.#options.limitMs);
    let answer: Answer<Result>;
    try {
      const answered = once(worker, 'message', { signal: timer.signal });
      worker.postMessage(task);
      answer = ((await answered) as [Answer<Result>])[0];
    } catch (error) {
      await this.stop();
      if (!timer.signal.aborted) throw error;
      return undefined;
    } finally {
      clearTimeout(timeout);
      worker.unref();
    }
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  }

  async stop(): Promise<void> {
    const worker = await this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

async function startWorker({ script, resourceLimits }: LimitedThreadOptions): Promise<Worker> {
  // Of the flags of this process, some are of no use to a thread, and some it does not start with.
  const worker = new Worker(script, { execArgv: [], ...(resourceLimits && { resourceLimits }) });
  await once(worker, 'message');
  // Later errors reject what waits for an answer; this one is for when nothing does.
  worker.on('error', () => undefined);
  return worker;
}

/** The thread's side: one answer for each task, in their order, after it said that it is there. */
export function answerTasks<Task, Result>(work: (task: Task) => Result): void {
  parentPort?.on('message', (task: Task) => {
    let answer: Answer<Result>;
    try {
      answer = { result: work(task) };
    } catch (error) {
      answer = { error: String(error) };
    }
    parentPort?.postMessage(answer);
  });
  parentPort?.postMessage('ready');
}
