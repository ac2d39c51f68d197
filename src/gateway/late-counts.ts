import type { Part } from '../conversation/conversation.ts';
import { NO_USAGE } from '../conversation/usage.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import type { Recount } from '../usage/ledger.ts';
import type { Call } from './call.ts';
import { countInput, parseObject } from './count-input.ts';
import type { Log } from './gateway.ts';

/** Larger calls keep the estimate by their bytes: most of such a body is media. */
const MAX_CALL_BYTES = 1024 * 1024;

/** What may be held of finished calls until it is counted. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Counts what calls used whose provider did not say, but not on their way: the record goes to the ledger with the
 * estimate by bytes, and the ledger asks for the count when it writes, after the answer was sent.
 */
export class LateCounts {
  readonly #tokens: TokenCounter;
  readonly #log: Log;
  #heldBytes = 0;

  constructor(tokens: TokenCounter, log: Log) {
    this.#tokens = tokens;
    this.#log = log;
  }

  /** How to count a call that was answered in full; `undefined` where its usage is known, or it is too much to hold. */
  plan(call: Call): Recount | undefined {
    const { usage, target, spoken } = call;
    if (!usage?.estimated || !target || !spoken) return undefined;
    const bytes = call.body.length + (call.answer?.length ?? 0);
    if (bytes > MAX_CALL_BYTES || this.#heldBytes + bytes > MAX_HELD_BYTES) return undefined;
    this.#heldBytes += bytes;
    // Not the call itself: it holds a connection.
    const { id, door, model: name, body, answer } = call;
    const { model } = target;
    const drop = () => {
      this.#heldBytes -= bytes;
    };
    const count = async () => {
      try {
        const input = await countInput(this.#tokens, { door, body, model: name }, model);
        if (door.operation === 'embed') return { ...NO_USAGE, input, estimated: true };
        // Of a stream nothing is kept: its events were counted, and providers send about a token in each.
        const output = answer ? await this.#countAnswer(spoken, answer, model) : usage.output;
        return { ...NO_USAGE, input, output, estimated: true };
      } catch (err) {
        this.#log.warn({ call: id, err }, 'a call could not be counted: its usage is recorded by its size');
        return undefined;
      } finally {
        drop();
      }
    };
    return { count, drop };
  }

  #countAnswer(dialect: UpstreamDialect, answer: Buffer, model: string): Promise<number> {
    const { choices } = dialect.decodeResponse(parseObject(answer));
    const parts: Part[] = choices.flatMap((choice) => choice.parts);
    return this.#tokens.countAnswer(parts, model);
  }
}
