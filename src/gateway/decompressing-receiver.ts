import type { Transform } from 'node:stream';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { AttemptControl, Receiver } from './receiver.ts';

/** Stands before another receiver and undoes a content coding. */
export class DecompressingReceiver implements Receiver {
  readonly #transform: Transform;
  readonly #attempt: AttemptControl;
  readonly #inner: Receiver;

  constructor(transform: Transform, attempt: AttemptControl, inner: Receiver) {
    this.#transform = transform;
    this.#attempt = attempt;
    this.#inner = inner;
    transform.on('data', (chunk: Buffer) => this.#guard(() => inner.data(chunk)));
    transform.on('end', () => this.#guard(() => inner.end()));
    transform.on('error', (cause) =>
      attempt.fail(
        new GatewayError('upstream_unavailable', 'The provider sent a compressed answer that is broken.', {
          cause,
        }),
      ),
    );
  }

  data(chunk: Buffer): void {
    this.#transform.write(chunk);
  }

  end(): void {
    this.#transform.end();
  }

  breakOff(error: GatewayError): void {
    this.#transform.destroy();
    this.#inner.breakOff(error);
  }

  account(): void {
    this.#inner.account();
  }

  /** These run outside the attempt's own handlers, so what they throw must be handed to it. */
  #guard(step: () => void): void {
    if (this.#attempt.finished) return;
    try {
      step();
    } catch (error) {
      this.#attempt.fail(
        error instanceof GatewayError
          ? error
          : new GatewayError('internal', 'The answer of the provider could not be handled.', {
              cause: error,
            }),
      );
    }
  }
}
