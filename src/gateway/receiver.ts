import type { GatewayError } from '../conversation/gateway-error.ts';
import type { BegunAnswer } from './begun-answer.ts';
import type { FailedAnswer } from './upstream-failure.ts';

/** Takes the body of a provider's answer, packet by packet. May throw; the attempt then fails with what was thrown. */
export interface Receiver {
  data(chunk: Buffer): void;
  /** The body is complete as far as HTTP can tell. */
  end(): void;
  /** Notes on the call what has been generated up to now. */
  account(): void;
  /**
   * The same of an answer that failed. Before its first output nothing was generated that anyone bills: there only
   * what the provider itself reported counts.
   */
  accountFailure(): void;
  /** What an answer says by its head, of which the body broke off; `undefined` where that is nothing without the body. */
  readHead?(): FailedAnswer | undefined;
  /** The client is slower than the provider: hand nothing on until `resume`. For receivers that store on the way. */
  pause?(): void;
  resume?(): void;
  /** The attempt is over: frees what the receiver holds beside memory. */
  dispose?(): void;
}

/** A receiver that gives the client a part of the answer before it has the whole. */
export interface CommittingReceiver extends Receiver {
  /** The answer broke off after bytes of it had gone to the client: end it so that nobody takes it for whole. */
  breakOff(error: GatewayError): void;
  /** What the client has of the answer, where another attempt can go on with it; to be asked behind the end of the attempt. */
  begun?(): BegunAnswer | undefined;
}

/** What a receiver may do with the attempt that feeds it. */
export interface AttemptControl {
  /** It succeeded, failed or was given up: nothing more may be written to the client. */
  readonly finished: boolean;
  /** Another one is under way beside it, and whichever has real output first is the call's. */
  readonly isRaced: boolean;
  /** The attempt succeeded; to be called before the last byte goes to the client. Later packets are ignored. */
  succeed(): void;
  /** The attempt failed: before the first byte to the client another may follow, after it the answer is broken off. */
  fail(error: GatewayError): void;
  /** The same for an error answer that was read already. */
  failAs(failed: FailedAnswer): void;
  /**
   * Real output of the answer has come: the place answers, of which others are to know while it goes on. The first time counts; one that
   * never tells answers with its success.
   */
  noteOutput(): void;
  /** What its head says of the place, of an error answer whose words are still to come. */
  noteHead(error: GatewayError): void;
  /** To be called before the client gets the beginning of the answer: the provider took our credential, and no other attempt may answer. */
  begin(): void;
  /** Runs what no packet of the provider set off (a timer, another stream): what it throws fails the attempt. */
  run(step: () => void): void;
  /** Runs the step that ends the answer once what the call leaves behind is noted: at once where it leaves nothing. */
  whenNoted(step: () => void): void;
  /** The client is slower than the provider: stop reading until it has caught up. */
  waitForDrain(): void;
  /** Stops reading from the provider until `resume` was called as often as this. */
  pause(): void;
  resume(): void;
}
