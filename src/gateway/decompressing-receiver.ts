import type { Transform } from 'node:stream';
import { GatewayError } from '../conversation/gateway-error.ts';
import { decompressorOf } from '../upstream/decompress.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import type { FailedAnswer } from './upstream-failure.ts';

/**
 * What undoes the coding of an answer's content; `undefined` where it is not coded. To be asked before a receiver is made: one
 * that nobody gets to own would never be disposed of.
 *
 * @throws GatewayError `upstream_unavailable` where nobody knows the coding
 */
export function findDecompressor(
  headers: Record<string, string | string[] | undefined>,
): (() => Transform) | undefined {
  const coding = headers['content-encoding'];
  if (coding === undefined || coding === 'identity') return undefined;
  const create = decompressorOf(String(coding));
  if (create) return create;
  throw new GatewayError('upstream_unavailable', 'The provider sent a content encoding that is not known.');
}

/**
 * Stands before another receiver and undoes a content coding. A few bytes may become a thousand times as many, so
 * the decompressor is held back like the provider, and holds the provider back itself.
 */
export class DecompressingReceiver implements Receiver {
  readonly #transform: Transform;
  readonly #attempt: AttemptControl;
  readonly #inner: Receiver;
  #full = false;

  constructor(transform: Transform, attempt: AttemptControl, inner: Receiver) {
    this.#transform = transform;
    this.#attempt = attempt;
    this.#inner = inner;
    transform.on('data', (chunk: Buffer) => attempt.run(() => inner.data(chunk)));
    transform.on('end', () => attempt.run(() => inner.end()));
    transform.on('drain', () => {
      this.#full = false;
      attempt.resume();
    });
    transform.on('error', (cause) =>
      attempt.fail(
        new GatewayError('upstream_unavailable', 'The provider sent a compressed answer that is broken.', {
          cause,
        }),
      ),
    );
  }

  data(chunk: Buffer): void {
    if (this.#transform.write(chunk) || this.#full) return;
    this.#full = true;
    this.#attempt.pause();
  }

  end(): void {
    this.#transform.end();
  }

  account(): void {
    this.#inner.account();
  }

  accountFailure(): void {
    this.#inner.accountFailure();
  }

  readHead(): FailedAnswer | undefined {
    return this.#inner.readHead?.();
  }

  pause(): void {
    this.#transform.pause();
  }

  resume(): void {
    this.#transform.resume();
  }

  dispose(): void {
    this.#transform.destroy();
    this.#inner.dispose?.();
  }
}
