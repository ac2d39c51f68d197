import { extname } from 'node:path';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { LimitedThread } from '../threads/limited-thread.ts';
import { type Fault, TOO_LONG } from './values.ts';

export interface CheckTask {
  schema: JsonObject;
  value: JsonValue;
}

/** A check ends itself before: this is for a thread that does not answer. */
const LIMIT_MS = 10_000;
/** Each takes half a second as a rule: whoever comes behind so many would wait for longer than it is worth. */
const MOST_WAITING = 10;

const RESOURCES = { maxOldGenerationSizeMb: 512 };

/** Checks inputs by their schemas on a thread of its own, one at a time, where that takes so long that other calls would wait for it. */
export class SlowChecks {
  readonly #thread: LimitedThread<CheckTask, Fault[]>;
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor() {
    // The sources end in .ts, what is built from them in .js.
    const script = new URL(`./slow-check-worker${extname(import.meta.url)}`, import.meta.url);
    this.#thread = new LimitedThread({ script, limitMs: LIMIT_MS, resourceLimits: RESOURCES });
  }

  /**
   * As `ValueCheck.faultsWithin`.
   *
   * @throws GatewayError `overloaded`
   */
  async faultsOf(task: CheckTask): Promise<Fault[]> {
    if (this.#waiting >= MOST_WAITING) throw overloaded();
    this.#waiting += 1;
    const checked = this.#turn.then(() => this.#check(task));
    this.#turn = checked;
    try {
      return await checked;
    } finally {
      this.#waiting -= 1;
    }
  }

  stop(): Promise<void> {
    return this.#thread.stop();
  }

  async #check(task: CheckTask): Promise<Fault[]> {
    try {
      return (await this.#thread.run(task))?.result ?? [TOO_LONG];
    } catch {
      // The thread ran out of memory: as bad as one that takes for ever.
      return [TOO_LONG];
    }
  }
}

function overloaded(): GatewayError {
  const message =
    'Too many inputs at once take long to be checked by the schemas of their prompts; try again.';
  return new GatewayError('overloaded', message, { code: 'gateway_overloaded', retryAfterMs: 1_000 });
}
