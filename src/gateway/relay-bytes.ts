import type { GatewayError } from '../conversation/gateway-error.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { AttemptControl, CommittingReceiver } from './receiver.ts';
import { beginBytes } from './respond.ts';
import { endAnswer, settleCall } from './settle.ts';

/** Relays an answer that is no JSON (audio, subtitles, the content of a file) as it arrives. */
export class BytesRelay implements CommittingReceiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #headers: string[];
  /** Held back so that the record is written before the last byte is sent. */
  #newest: Buffer | undefined;

  /** `headers`: what the provider says of the content, as a flat list. */
  constructor(gateway: Gateway, call: Call, attempt: AttemptControl, headers: string[]) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#headers = headers;
  }

  data(chunk: Buffer): void {
    const { response, startedMs, tap } = this.#call;
    tap?.miss();
    const due = this.#newest;
    this.#newest = chunk;
    if (!due) return;
    if (!this.#call.committed) {
      this.#call.firstTokenMs = this.#gateway.monotonicMs() - startedMs;
      this.#attempt.noteOutput();
      this.#attempt.begin();
      beginBytes(this.#call, this.#headers);
    }
    if (!response.write(due)) this.#attempt.waitForDrain();
  }

  end(): void {
    this.#attempt.succeed();
    settleCall(this.#gateway, this.#call, 'ok', 200);
    if (!this.#call.committed) beginBytes(this.#call, this.#headers);
    endAnswer(this.#gateway, this.#call, this.#newest);
  }

  /** There is no place for an error in it: cutting the connection is the only honest end. */
  breakOff(error: GatewayError): void {
    settleCall(this.#gateway, this.#call, error.kind, 200);
    this.#call.response.destroy();
  }

  /** Bytes say nothing of what they cost. */
  account(): void {}
  accountFailure(): void {}
}
