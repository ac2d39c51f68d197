import type { StreamDecoder } from '../dialects/dialect.ts';
import { EventReader } from '../upstream/event-reader.ts';
import { BegunAnswer } from './begun-answer.ts';
import type { Call } from './call.ts';
import { estimatePiece } from './estimate-usage.ts';
import { spentBy } from './go-on-from.ts';
import { identifyAnswer } from './identify-answer.ts';
import { parseBody } from './parse-body.ts';
import { streamOptions } from './translate-generated.ts';

/** Dialects whose streams another encoder can go on with: in those of others what comes refers to ids that its provider gave. */
const CONTINUED: ReadonlySet<string> = new Set(['chat', 'messages']);

/**
 * Follows a stream that is relayed as it is, as if it were translated into the same dialect: so that an encoder is where the client is,
 * should another attempt have to go on.
 */
export class ShadowAnswer {
  readonly #call: Call;
  readonly #reader = new EventReader();
  readonly #decoder: StreamDecoder;
  readonly #begun: BegunAnswer;
  #isLost = false;
  /** About how many came. */
  outputTokens = 0;

  constructor(call: Call, decoder: StreamDecoder) {
    this.#call = call;
    this.#decoder = decoder;
    call.request ??= parseBody(call.body);
    const encoder = call.door.dialect.streamEncoder(streamOptions(call));
    // Streams last long and bodies can be large.
    call.request = undefined;
    this.#begun = new BegunAnswer(encoder, () => spentBy(call));
  }

  /** What the client is sent. */
  note(bytes: Buffer): void {
    if (this.#isLost) return;
    try {
      for (const message of this.#reader.push(bytes)) {
        for (const event of this.#decoder.push(message)) {
          if (event.type === 'start') identifyAnswer(event, this.#call);
          if (event.type === 'part_delta') this.outputTokens += estimatePiece(event.delta);
          this.#begun.push(event);
        }
      }
    } catch {
      // The client gets it as it is; where nobody can read it, nobody can go on with it.
      this.#isLost = true;
    }
  }

  begun(): BegunAnswer | undefined {
    const isOver = this.#isLost || this.#decoder.isFinished === true || this.#begun.given === undefined;
    return isOver ? undefined : this.#begun;
  }
}

/** Where nothing is ever gone on with, nothing is followed. */
export function followAnswer(call: Call, createDecoder: () => StreamDecoder): ShadowAnswer | undefined {
  if (!call.continues || !CONTINUED.has(call.door.dialect.name)) return undefined;
  return new ShadowAnswer(call, createDecoder());
}
