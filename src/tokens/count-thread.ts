import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Encoding } from './families.ts';

/** What the thread is asked at a time, and what it answers. */
export interface CountRequest {
  encoding: Encoding;
  texts: string[];
}
export type CountAnswer = { tokens: number } | { error: string };

interface Asked {
  resolve(tokens: number): void;
  reject(error: Error): void;
}

/**
 * A thread that counts tokens, begun with the first count. An encoder takes a third of a second to load, which the thread that
 * serves calls must not wait for. While it is idle it does not keep the process alive.
 */
export class CountThread {
  /** What it was asked and has not answered: it answers in their order. */
  #asked: Asked[] = [];
  #worker: Worker | undefined;

  /** Tokens of texts. Rejects where they cannot be counted, or the thread ends. */
  count(request: CountRequest): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker ??= this.#start();
      this.#asked.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #start(): Worker {
    // The sources end in .ts, what is built from them in .js.
    const worker = new Worker(new URL(`./count-worker${extname(import.meta.url)}`, import.meta.url), {
      // Of the flags of this process, some are of no use to a thread, and some it does not start with.
      execArgv: [],
    });
    worker.on('message', (answer: CountAnswer) => this.#take(answer));
    worker.on('error', (cause) => this.#fail(new Error('the thread that counts tokens failed', { cause })));
    worker.on('exit', () => this.#fail(new Error('the thread that counts tokens ended')));
    return worker;
  }

  #take(answer: CountAnswer): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#worker?.unref();
    if ('tokens' in answer) asked?.resolve(answer.tokens);
    else asked?.reject(new Error(`tokens could not be counted: ${answer.error}`));
  }

  /** It is gone or of no use: everything that waits for it fails, and the next count begins a new one. */
  #fail(error: Error): void {
    this.#worker?.removeAllListeners();
    this.#worker = undefined;
    for (const { reject } of this.#asked.splice(0)) reject(error);
  }
}

/**
 * That of all counters of a process, which owns it and never ends it: its encoders take some 50 MB each and are as good for one gateway as for
 * another. It knows nothing of who asks.
 */
export const THREAD_OF_PROCESS = new CountThread();
