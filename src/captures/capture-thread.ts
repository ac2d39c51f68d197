import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Capture } from './capture.ts';
import type { CaptureSource } from './compose-capture.ts';

export type CaptureAnswer = { capture: Capture } | { error: string };

/** Ordinary captures take a few milliseconds. Longer than this takes only an expression that tries every way to match. */
const LIMIT_MS = 2_000;

/**
 * Makes captures on a thread of its own, one at a time: nothing that a tenant's expressions do to a text holds up calls.
 * A thread that takes too long over one is ended. An idle thread does not keep the process alive.
 */
export class CaptureThread {
  readonly #limitMs: number;
  #worker: Promise<Worker> | undefined;

  constructor(limitMs = LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  /** Resolves with the capture, without its parts where the expressions took too long. Rejects where the thread fails. */
  async compose(source: CaptureSource): Promise<Capture> {
    this.#worker ??= startWorker();
    const worker = await this.#worker.catch((error: unknown) => {
      this.#worker = undefined;
      throw error;
    });
    worker.ref();
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), this.#limitMs);
    let answer: CaptureAnswer;
    try {
      const answered = once(worker, 'message', { signal: timer.signal });
      worker.postMessage(source);
      answer = ((await answered) as [CaptureAnswer])[0];
    } catch (error) {
      await this.stop();
      if (!timer.signal.aborted) throw error;
      return { request: null, response: null, truncated: false, gap: 'redaction_timed_out' };
    } finally {
      clearTimeout(timeout);
      worker.unref();
    }
    if ('error' in answer) throw new Error(`a call could not be captured: ${answer.error}`);
    return answer.capture;
  }

  async stop(): Promise<void> {
    const worker = await this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

async function startWorker(): Promise<Worker> {
  // The sources end in .ts, what is built from them in .js.
  const worker = new Worker(new URL(`./capture-worker${extname(import.meta.url)}`, import.meta.url), {
    // Of the flags of this process, some are of no use to a thread, and some it does not start with.
    execArgv: [],
  });
  await once(worker, 'message');
  // Later errors reject what waits for an answer; this one is for when nothing does.
  worker.on('error', () => undefined);
  return worker;
}
