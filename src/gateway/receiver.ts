import type { GatewayError } from '../conversation/gateway-error.ts';

/** Takes the body of a provider's answer, packet by packet. May throw; the attempt then fails with what was thrown. */
export interface Receiver {
  data(chunk: Buffer): void;
  /** The body is complete as far as HTTP can tell. */
  end(): void;
  /** The answer broke off after bytes of it had gone to the client: end it so that nobody takes it for whole. */
  breakOff(error: GatewayError): void;
  /** Notes on the call what has been generated up to now. */
  account(): void;
}

/** What a receiver may do with the attempt that feeds it. */
export interface AttemptControl {
  /** It succeeded, failed or was given up: nothing more may be written to the client. */
  readonly finished: boolean;
  /** The attempt succeeded; to be called before the last byte goes to the client. Later packets are ignored. */
  succeed(): void;
  /** The attempt failed: before the first byte to the client another may follow, after it the answer is broken off. */
  fail(error: GatewayError): void;
  /** The client is slower than the provider: stop reading until it has caught up. */
  waitForDrain(): void;
}
