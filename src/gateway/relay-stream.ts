import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, tryParseJson } from '../conversation/json.ts';
import { beforeFailure } from '../dialects/event-bytes.ts';
import type { StreamScanner } from '../dialects/pass-through.ts';
import { EventBlocks } from '../upstream/event-blocks.ts';
import { redactSecrets } from '../upstream/secrets.ts';
import type { Account } from '../upstream/upstream.ts';
import { withoutAccountIds } from './account-ids.ts';
import { mayOtherAnswer, ofAnswering } from './answering-model.ts';
import { estimateCall } from './asked-tier.ts';
import type { BegunAnswer } from './begun-answer.ts';
import { RelayedBlockWatch } from './blocked-answer.ts';
import type { Call } from './call.ts';
import { completeUsage } from './estimate-usage.ts';
import type { Gateway } from './gateway.ts';
import { headOf } from './identify-answer.ts';
import { leavesIds, noteKeptAnswer, noteMadeIds } from './keep-answer.ts';
import type { AttemptControl, CommittingReceiver } from './receiver.ts';
import { settleCall } from './settle.ts';
import type { ShadowAnswer } from './shadow-answer.ts';
import { StreamCommit } from './stream-commit.ts';

/** Relays a stream in the caller's own dialect as it arrives: whole events, their bytes untouched. */
export class StreamRelay implements CommittingReceiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #account: Account;
  readonly #blocks = new EventBlocks();
  readonly #scanner: StreamScanner;
  readonly #commit: StreamCommit;
  /** Knows what the client has, where another attempt may have to go on with it. */
  readonly #shadow: ShadowAnswer | undefined;
  readonly #watch: RelayedBlockWatch | undefined;
  /** What came in one packet with a failure: what was before it and, where it tells of it, the provider's own event. */
  #failureEvents: Buffer | undefined;
  #noted = false;
  #notedMade = false;
  /** The stream said its last word, which waits until what it leaves behind is noted. */
  #finishing = false;

  constructor(
    gateway: Gateway,
    call: Call,
    attempt: AttemptControl,
    account: Account,
    shadow?: ShadowAnswer,
  ) {
    this.#shadow = shadow;
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#account = account;
    const { passThrough } = call.door;
    this.#scanner = passThrough.streamScanner({
      asked: passThrough.countAsked?.(call.body, call.spans),
      hideUsage: !call.includeUsage,
      findsIds: leavesIds(call),
      spans: call.spans,
    });
    if (call.divertsBlocked && call.spoken) this.#watch = new RelayedBlockWatch(call.spoken);
    // Last: whatever throws before has nothing running.
    this.#commit = new StreamCommit(gateway, call, attempt);
  }

  data(chunk: Buffer): void {
    if (this.#finishing) return;
    this.#commit.noteHeard(chunk);
    const events = this.#blocks.push(chunk);
    if (!events) return;
    if (!this.#call.committed) this.#watch?.look(events);
    this.#relay(this.#scanner.scan(events));
  }

  end(): void {
    if (this.#finishing) return;
    const rest = this.#blocks.takeRest();
    if (this.#scanner.isWholeEvent(rest)) {
      const last = Buffer.concat([rest, Buffer.from('\n\n')]);
      this.#watch?.look(last);
      this.#relay(this.#scanner.scan(last));
    }
    if (this.#scanner.terminated || this.#scanner.failure) return;
    if (!this.#scanner.finished) {
      this.#attempt.fail(
        new GatewayError(
          'upstream_unavailable',
          'The provider ended its stream before the answer was complete.',
        ),
      );
      return;
    }
    this.#finish(Buffer.from(this.#scanner.closing()));
  }

  breakOff(error: GatewayError): void {
    this.accountFailure();
    settleCall(this.#gateway, this.#call, error.kind, 200);
    const events = this.#failureEvents;
    const { failureIsTold, cutsFailure } = this.#scanner;
    // What the provider says of our account would look like something about the caller's key or quota.
    const isReplaced = error.retryable === false && cutsFailure !== true;
    const isTold = events !== undefined && failureIsTold && !isReplaced;
    const kept = events && failureIsTold && isReplaced ? beforeFailure(events) : events;
    const clean = kept ? this.#withoutSecrets(kept) : Buffer.alloc(0);
    const said = isTold ? withoutIdsInFailure(clean) : clean;
    const last = isTold ? (this.#scanner.closeFailure?.(error) ?? '') : this.#lastWords(error);
    this.#commit.end(last === '' ? said : Buffer.concat([said, Buffer.from(last)]));
  }

  begun(): BegunAnswer | undefined {
    const begun = this.#shadow?.begun();
    if (begun) this.#commit.outlive();
    return begun;
  }

  account(): void {
    const { usage, finished, outputEvents, servedTier, model } = this.#scanner;
    const output = Math.max(outputEvents, this.#shadow?.outputTokens ?? 0);
    if (!usage) this.#call.usage = estimateCall(this.#call, output, servedTier);
    else this.#call.usage = finished ? usage : completeUsage(usage, output);
    if (mayOtherAnswer(this.#call)) this.#call.usage = ofAnswering(this.#call, this.#call.usage, model);
    this.#noteMade();
  }

  accountFailure(): void {
    const { hasOutput, usage, usageIsAnnounced } = this.#scanner;
    if (hasOutput || (usage && !usageIsAnnounced)) this.account();
  }

  dispose(): void {
    this.#commit.dispose();
  }

  #relay(bytes: Buffer): void {
    const { terminated, failure } = this.#scanner;
    // That it was refused is output to a scanner, and may be taken back.
    const hasOutput = this.#scanner.hasOutput && this.#watch?.isUndecided !== true;
    if (this.#call.keepsAnswer) this.#noteId();
    // Output that comes with a failure counts only where the stream has begun: otherwise another attempt follows.
    if (hasOutput && (!failure || this.#call.committed)) this.#commit.noteOutput();
    if (failure) {
      const { failureIsTold, cutsFailure } = this.#scanner;
      this.#failureEvents = failureIsTold || cutsFailure === true ? bytes : beforeFailure(bytes);
      this.#attempt.fail(failure);
      return;
    }
    if (terminated) this.#finish(bytes);
    else {
      this.#commit.write(bytes);
      this.#shadow?.note(bytes);
    }
  }

  #withoutSecrets(bytes: Buffer): Buffer {
    // As latin1 every byte is a character, and stays what it is.
    return Buffer.from(redactSecrets(bytes.toString('latin1'), this.#account.secrets()), 'latin1');
  }

  #noteId(): void {
    if (this.#noted || this.#scanner.answerId === undefined) return;
    this.#noted = true;
    noteKeptAnswer(this.#gateway, this.#call, this.#scanner.answerId);
  }

  /** Also of a stream that breaks off: what it made is there. */
  #noteMade(): void {
    const { madeIds } = this.#scanner;
    if (this.#notedMade || !madeIds) return;
    this.#notedMade = true;
    noteMadeIds(this.#gateway, this.#call, madeIds);
  }

  #lastWords(error: GatewayError): string {
    const own = this.#scanner.breakOff?.(error);
    if (own !== undefined) return own;
    const { body, door } = this.#call;
    const request = tryParseJson(body.toString('utf8'));
    const encoder = door.dialect.streamEncoder({
      includeUsage: false,
      request: isObject(request) ? request : undefined,
    });
    return encoder.push({ type: 'error', error, head: headOf(this.#call) });
  }

  /** The stream said its last word: the record first, then the word. */
  #finish(last: Buffer): void {
    const refusal = this.#call.committed ? undefined : this.#watch?.end();
    if (refusal) {
      this.#attempt.fail(refusal);
      return;
    }
    this.account();
    this.#finishing = true;
    this.#attempt.whenNoted(() => this.#end(last));
  }

  #end(last: Buffer): void {
    this.#attempt.succeed();
    settleCall(this.#gateway, this.#call, 'ok', 200);
    this.#commit.end(last);
  }
}

/** What the model said before is its own: only the failure tells whose account it was. */
function withoutIdsInFailure(events: Buffer): Buffer {
  const before = beforeFailure(events);
  const told = withoutAccountIds(events.toString('latin1', before.length));
  return Buffer.concat([before, Buffer.from(told, 'latin1')]);
}
