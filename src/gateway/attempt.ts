import { GatewayError } from '../conversation/gateway-error.ts';
import { type Verdict, verdictOf } from '../routing/verdict.ts';
import type { Timed } from '../upstream/deadlines.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../upstream/exchange.ts';
import type { Signer } from '../upstream/sign-in/signer.ts';
import type { Waiting } from '../usage/journal.ts';
import type { AttemptOutcome, AttemptRecord } from '../usage/record.ts';
import { estimateCall } from './asked-tier.ts';
import type { AttemptMaker, MadeAttempt } from './attempt-maker.ts';
import { beginOnCall, breakOffOnCall, endAfterAttempt, endOnCall, tryStep } from './attempt-on-call.ts';
import type { Call } from './call.ts';
import {
  leaveAddress,
  refuseAddress,
  type TakenAddress,
  takeAddress,
  tellLostConnection,
} from './choose-address.ts';
import { chooseReceiver, isCommitting } from './choose-receiver.ts';
import { begunAnswer } from './continue-stream.ts';
import { noteAcceptance } from './credentials.ts';
import { DecompressingReceiver, findDecompressor } from './decompressing-receiver.ts';
import { FailedAnswerReceiver } from './failed-answer-receiver.ts';
import { failureReason } from './failure-reason.ts';
import type { Gateway } from './gateway.ts';
import { claimNamed } from './note-held.ts';
import {
  noteAnswered,
  noteFailed,
  noteGivenUp,
  noteHeadroom,
  noteLost,
  noteOk,
  totalTimeout,
} from './outcome.ts';
import type { PlannedAttempt } from './plan.ts';
import { prepareRequest, type UpstreamRequest } from './prepare.ts';
import { prepareRelayed } from './prepare-relayed.ts';
import type { AttemptControl, CommittingReceiver, Receiver } from './receiver.ts';
import { toGatewayError } from './respond.ts';
import { noteStart, setUsageAside } from './settle.ts';
import { signableRequest } from './signable-request.ts';
import {
  type FailedAnswer,
  readFailureWithin,
  tellFailure,
  tellSignFailure,
  withoutSecrets,
} from './upstream-failure.ts';

/**
 * One upstream request for a call, still to be sent.
 *
 * @throws GatewayError `invalid_request` for what the target cannot express
 */
export function prepareAttempt(
  gateway: Gateway,
  call: Call,
  planned: PlannedAttempt,
  maker: AttemptMaker,
): MadeAttempt {
  const { relayedPlace } = call.door;
  const request = relayedPlace
    ? prepareRelayed(gateway, call, planned, relayedPlace)
    : prepareRequest(call, planned);
  return new Attempt(gateway, call, planned, request, maker);
}

class Attempt implements ExchangeHandler, AttemptControl, MadeAttempt, Timed, Waiting {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #planned: PlannedAttempt;
  readonly #request: UpstreamRequest;
  readonly #maker: AttemptMaker;
  readonly #record: AttemptRecord;
  /** Of the request, signed. */
  #headers: string[] = [];
  #answerHeaders: AnswerHeaders | undefined;
  #exchange: ExchangeControl | undefined;
  /** Where it goes, where that is not the account's base URL. */
  #taken: TakenAddress | undefined;
  #receiver: Receiver | undefined;
  /** The receiver, or the one behind the decompressor, where it may begin an answer that it does not have whole. */
  #committing: CommittingReceiver | undefined;
  finished = false;
  #waiting = false;
  #pauses = 0;
  /** When its first output came, of which its place was told. */
  #outputMs: number | undefined;
  /** What that was told by the head of an error answer. */
  #saidByHead: Verdict['says'] | undefined;
  /** The provider's answer was read to its end: the connection is free for others. */
  #answered = false;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(
    gateway: Gateway,
    call: Call,
    planned: PlannedAttempt,
    request: UpstreamRequest,
    maker: AttemptMaker,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#planned = planned;
    this.#request = request;
    this.#maker = maker;
    this.#record = beginOnCall(gateway, call, planned, request);
    call.running = this;
    gateway.deadlines.add(this, call.startedMs, planned.target.timeouts.totalMs);
  }

  get isRaced(): boolean {
    return this.#maker.isRaced?.(this.#planned) === true;
  }

  send(): void {
    const { signer } = this.#planned.account;
    try {
      if (signer) this.#signAndSend(signer);
      else this.#sendNoted(this.#request.headers);
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  /** The first request of a call waits until the journal has the call's start: a few microseconds. */
  #sendNoted(headers: string[]): void {
    this.#headers = headers;
    if (this.#call.started) {
      this.proceed();
      return;
    }
    noteStart(this.#gateway, this.#call, this.#planned.account.name);
    this.#gateway.ledger.wait(this);
  }

  /** The journal has the call's start: the request goes out. */
  proceed(): void {
    if (this.finished) return;
    try {
      this.#dispatch();
    } catch (thrown) {
      this.fail(toGatewayError(this.#gateway, this.#call, thrown));
    }
  }

  #signAndSend(signer: Signer): void {
    signer.sign(signableRequest(this.#request, this.#planned.account.origin)).then(
      (signed) => this.run(() => this.#sendNoted([...this.#request.headers, ...signed])),
      (thrown: unknown) => {
        tellSignFailure(this.#gateway, this.#call, this.#planned, signer, thrown);
        this.#failTold(toGatewayError(this.#gateway, this.#call, thrown));
      },
    );
  }

  #dispatch(): void {
    const headers = this.#headers;
    const { path, method, body } = this.#request;
    const { timeouts, upstream } = this.#planned.target;
    const { origin } = this.#planned.account;
    this.#taken = takeAddress(this.#planned, this.#record);
    const options = { origin, destination: this.#taken?.address, path, method, headers, body, timeouts };
    this.#gateway.connections.dispatch(upstream, options, this);
  }

  onRequestStart(exchange: ExchangeControl): void {
    this.#exchange = exchange;
    if (this.finished) exchange.abort(new Error('the call was over before its request was sent'));
  }

  onResponseStart(_exchange: ExchangeControl, status: number, headers: AnswerHeaders): void {
    if (this.finished) return;
    this.#call.answeredMs = this.#gateway.monotonicMs();
    this.#record.status = status;
    this.#answerHeaders = headers;
    const { lane, target } = this.#planned;
    // What is left of an account's limits matters where there is another.
    if (lane && target.upstream.accounts.length > 1) noteHeadroom(this.#gateway, lane, headers);
    try {
      // Behind a coding that nobody knows its head still counts.
      if (status < 200 || status > 299) {
        const answer = { dialect: this.#request.dialect, status, headers };
        this.#receiver = new FailedAnswerReceiver(this.#gateway, this.#call, this, this.#planned, answer);
      }
      const createDecompressor = findDecompressor(headers);
      const receiver = this.#receiver ?? this.#takeAnswer(headers);
      this.#receiver = createDecompressor
        ? new DecompressingReceiver(createDecompressor(), this, receiver)
        : receiver;
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  onResponseData(_exchange: ExchangeControl, chunk: Buffer): void {
    if (this.finished) return;
    try {
      this.#receiver?.data(chunk);
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  onResponseEnd(): void {
    this.#answered = true;
    if (this.finished) return;
    try {
      this.#receiver?.end();
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  onResponseError(_exchange: ExchangeControl, error: Error): void {
    if (this.#taken && !this.#exchange) refuseAddress(this.#taken, error);
    if (this.finished) return;
    if (error instanceof GatewayError) {
      // Not the connection's fault: what was being handed on had to end.
      this.fail(error);
      return;
    }
    const lost = tellLostConnection(this.#gateway, this.#call, this.#planned, this.#taken, error);
    const failed = this.#readHead(lost);
    if (failed) this.failAs(failed);
    else this.#failTold(lost);
  }

  expire(): void {
    this.fail(totalTimeout(this.#planned.target));
  }

  succeed(): void {
    this.#maker.begins?.(this.#planned);
    this.noteOutput();
    this.#close('ok');
    noteOk(this.#gateway, this.#planned, this.#call, this.#taken);
    this.#maker.answered(this.#planned);
  }

  noteOutput(): void {
    if (this.finished || this.#outputMs !== undefined) return;
    this.#outputMs = this.#gateway.monotonicMs();
    noteAnswered(this.#planned, this.#call, { taken: this.#taken, nowMs: this.#outputMs });
  }

  noteHead(error: GatewayError): void {
    if (this.finished) return;
    this.#noteFailed(error, failureReason(error, this.#record.status));
    this.#saidByHead = verdictOf(error).says;
  }

  #noteFailed(error: GatewayError, reason: string): void {
    const told = { taken: this.#taken, reason, answeredMs: this.#outputMs, saidByHead: this.#saidByHead };
    noteFailed(this.#gateway, this.#planned, this.#call, error, told);
  }

  begin(): void {
    this.#maker.begins?.(this.#planned);
    const { standing } = this.#planned.account;
    if (standing.watched && !standing.trial) noteAcceptance(this.#gateway, this.#planned);
  }

  fail(failure: GatewayError): void {
    if (this.finished) return;
    const { dialect } = this.#request;
    const failed = this.#readHead(failure);
    const { target } = this.#planned;
    const headers = this.#answerHeaders ?? {};
    this.failAs(
      failed ?? readFailureWithin(dialect, target, failure, headers, this.#gateway.now(), this.#call),
    );
  }

  /** What the provider had said of itself before its answer broke off. What we had to end is another's doing. */
  #readHead({ kind, message }: GatewayError): FailedAnswer | undefined {
    const failed = kind.startsWith('upstream_') ? this.#receiver?.readHead?.() : undefined;
    return failed && { ...failed, reason: message };
  }

  failAs(failed: FailedAnswer): void {
    if (this.finished) return;
    const { status } = this.#record;
    tellFailure(this.#gateway, this.#call, this.#planned, failed, { status, headers: this.#answerHeaders });
    this.#failTold(failed.error);
  }

  /** The log has the failure. */
  #failTold(failure: GatewayError): void {
    if (this.finished) return;
    // Whatever is told of it, to the client or to the log, comes from here.
    const error = withoutSecrets(failure, this.#planned.account.secrets());
    this.#close(error.kind);
    const reason = failureReason(error, this.#record.status);
    this.#record.reason = reason;
    this.#noteFailed(error, reason);
    if (!this.#answered) this.#exchange?.abort(error);
    const failed = { failure: error, hasSaid: this.#outputMs !== undefined };
    const begun = begunAnswer(this.#call, this.#maker, this.#committing, failed);
    if (!this.#call.committed || begun) {
      if (begun) this.#call.begun = begun;
      else this.#call.firstTokenMs = undefined;
      // What had been generated is used, whether the client ever sees it or not.
      tryStep(this.#gateway, this.#call, () => this.#receiver?.accountFailure());
      this.#maker.failed(this.#planned, error, !begun && this.#call.usage !== undefined);
      return;
    }
    breakOffOnCall(this.#gateway, this.#call, this.#committing, error);
    this.#maker.answered(this.#planned);
  }

  waitForDrain(): void {
    if (this.#waiting || this.finished) return;
    this.#waiting = true;
    this.#receiver?.pause?.();
    this.pause();
    this.#call.response.once('drain', () => {
      this.#waiting = false;
      if (this.finished) return;
      this.#receiver?.resume?.();
      this.resume();
    });
  }

  pause(): void {
    if (!this.finished && this.#pauses++ === 0) this.#exchange?.pause();
  }

  resume(): void {
    if (!this.finished && --this.#pauses === 0) this.#exchange?.resume();
  }

  run(step: () => void): void {
    if (this.finished) return;
    try {
      step();
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  whenNoted(step: () => void): void {
    const { noting } = this.#call;
    if (noting) void noting.then(() => this.run(step));
    else step();
  }

  #endWith(thrown: unknown): void {
    const error = toGatewayError(this.#gateway, this.#call, thrown);
    if (this.finished) endAfterAttempt(this.#gateway, this.#call, error);
    else this.fail(error);
  }

  abandon(reason: Error): void {
    if (this.finished) return;
    this.#giveUp('cancelled', reason);
    this.#maker.answered(this.#planned);
  }

  drop(outcome: AttemptOutcome, reason: Error): void {
    if (this.finished) return;
    if (outcome === 'lost') noteLost(this.#gateway, this.#planned, this.#call);
    this.#giveUp(outcome, reason);
    if (this.#call.usage) setUsageAside(this.#gateway, this.#call, this.#call.usage);
  }

  #giveUp(outcome: AttemptOutcome, reason: Error): void {
    const receiver = this.#receiver;
    if (receiver) tryStep(this.#gateway, this.#call, () => receiver.account());
    // Without an exchange the request was never sent, and nothing was used.
    else if (this.#exchange) this.#call.usage = estimateCall(this.#call, 0);
    this.#close(outcome);
    const wasTold = this.#outputMs !== undefined || this.#saidByHead !== undefined;
    const given = { taken: this.#taken, outcome, status: this.#record.status, wasTold };
    noteGivenUp(this.#gateway, this.#planned, this.#call, given);
    this.#exchange?.abort(reason);
  }

  #close(outcome: AttemptOutcome): void {
    this.finished = true;
    if (this.#taken) leaveAddress(this.#taken);
    this.#gateway.deadlines.remove(this, this.#planned.target.timeouts.totalMs);
    if (this.#call.running === this) this.#call.running = undefined;
    endOnCall(this.#gateway, this.#call, this.#record, outcome);
    if (this.#outputMs === undefined) this.#planned.lane?.endWait(this.#call.stream, false);
    this.#receiver?.dispose?.();
    // What held the provider back is gone: the rest of its answer is read and ignored, or its connection would stall.
    if (this.#pauses > 0) this.#exchange?.resume();
  }

  #takeAnswer(headers: AnswerHeaders): Receiver {
    claimNamed(this.#gateway, this.#call, this.#planned);
    const receiver = chooseReceiver(this.#gateway, this.#call, this, this.#planned, this.#request, headers);
    if (isCommitting(receiver)) this.#committing = receiver;
    return receiver;
  }
}
