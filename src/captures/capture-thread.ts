import { extname } from 'node:path';
import { LimitedThread } from '../threads/limited-thread.ts';
import type { Capture } from './capture.ts';
import type { CaptureSource } from './compose-capture.ts';

/** Ordinary captures take a few milliseconds. Longer than this takes only an expression that tries every way to match. */
const LIMIT_MS = 2_000;

/** Makes captures on a thread of its own, one at a time: nothing that a tenant's expressions do to a text holds up calls. */
export class CaptureThread {
  readonly #thread: LimitedThread<CaptureSource, Capture>;

  constructor(limitMs = LIMIT_MS) {
    // The sources end in .ts, what is built from them in .js.
    const script = new URL(`./capture-worker${extname(import.meta.url)}`, import.meta.url);
    this.#thread = new LimitedThread({ script, limitMs });
  }

  /** Resolves with the capture, without its parts where the expressions took too long. Rejects where the thread fails. */
  async compose(source: CaptureSource): Promise<Capture> {
    const made = await this.#thread.run(source);
    return made?.result ?? { request: null, response: null, truncated: false, gap: 'redaction_timed_out' };
  }

  stop(): Promise<void> {
    return this.#thread.stop();
  }
}
