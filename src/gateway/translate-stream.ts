import type { CompletionEvent } from '../conversation/completion.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import type { Usage } from '../conversation/usage.ts';
import type { StreamDecoder, StreamEncoder, StreamMessage } from '../dialects/dialect.ts';
import { type ServedTier, servedTier } from '../dialects/tiers.ts';
import type { StreamReader } from '../upstream/stream-reader.ts';
import { noteEnd } from './answer-ends.ts';
import { mayOtherAnswer, ofAnswering } from './answering-model.ts';
import { estimateCall } from './asked-tier.ts';
import { BegunAnswer } from './begun-answer.ts';
import { BlockWatch } from './blocked-answer.ts';
import type { Call } from './call.ts';
import { CHARACTERS_PER_TOKEN } from './estimate-tokens.ts';
import { completeUsage, estimatePiece, estimateUsage } from './estimate-usage.ts';
import type { Gateway } from './gateway.ts';
import { spentBy } from './go-on-from.ts';
import { headOf, identifyAnswer } from './identify-answer.ts';
import { keepAnswer, noteSpoken } from './keep-answer.ts';
import type { AttemptControl, CommittingReceiver } from './receiver.ts';
import { settleCall } from './settle.ts';
import { commitStream, type StreamCommit } from './stream-commit.ts';
import { streamOptions } from './translate-generated.ts';

/** Takes a stream in the provider's dialect and gives it in the caller's, event by event. */
export class StreamTranslator implements CommittingReceiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #reader: StreamReader;
  readonly #decoder: StreamDecoder;
  readonly #encoder: StreamEncoder;
  /** The encoder, where another attempt may have to go on with what it writes, or this one does. */
  readonly #begun: BegunAnswer | undefined;
  readonly #commit: StreamCommit;
  readonly #watch: BlockWatch | undefined;
  #usage: Usage | undefined;
  #model: string | undefined;
  #servedTier: ServedTier;
  /** About how many came. */
  #outputTokens = 0;
  /** Something was generated, whether the client is told of it or not. */
  #hasOutput = false;
  /** The encoder has the beginning of a call that it may hold until it is whole. */
  #holdsCall = false;
  /** Output was encoded: with it the stream begins. */
  #showsOutput = false;
  #ended = false;
  /** The last word waits until what the call leaves behind is noted. */
  #finishing = false;
  /** The provider said its last word, and with it all that was used. */
  #complete = false;
  /** Encoded, not yet sent, within the handling of one packet. */
  #pending = '';

  constructor(
    gateway: Gateway,
    call: Call,
    attempt: AttemptControl,
    reader: StreamReader,
    decoder: StreamDecoder,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#reader = reader;
    this.#decoder = decoder;
    call.droppedOfAnswer = [];
    if (call.tap) call.ends = new Map();
    this.#begun = call.begun ?? (call.continues ? beginAnswer(call) : undefined);
    this.#encoder = this.#begun ?? call.door.dialect.streamEncoder(streamOptions(call));
    // Streams last long and bodies can be large: it is parsed again should another attempt need it.
    call.request = undefined;
    if (call.divertsBlocked) this.#watch = new BlockWatch();
    // Last: whatever throws before has nothing running.
    this.#commit = commitStream(gateway, call, attempt);
  }

  data(chunk: Buffer): void {
    this.#commit.noteHeard(chunk);
    for (const message of this.#reader.push(chunk)) this.#take(message);
    this.#flush();
  }

  end(): void {
    for (const message of this.#reader.end()) this.#take(message);
    if (!this.#ended && !this.#finishing) for (const event of this.#decoder.end()) this.#handle(event);
    this.#flush();
  }

  breakOff(error: GatewayError): void {
    if (this.#ended) return;
    const rest = this.#decoder.conclude?.();
    if (rest) {
      this.#conclude(rest);
      return;
    }
    this.#finish(error.kind, this.#encoder.push({ type: 'error', error, head: headOf(this.#call) }));
  }

  begun(): BegunAnswer | undefined {
    if (this.#begun?.given === undefined || this.#decoder.isFinished === true) return undefined;
    // What was encoded of the packet in which it failed is told of already.
    this.#commit.write(this.#takePending());
    this.#commit.outlive();
    return this.#begun;
  }

  account(): void {
    const reported = this.#usage;
    const output = this.#generatedTokens;
    if (!reported) this.#call.usage = estimateCall(this.#call, output, this.#servedTier);
    else this.#call.usage = this.#complete ? reported : completeUsage(reported, output);
    if (mayOtherAnswer(this.#call)) this.#call.usage = ofAnswering(this.#call, this.#call.usage, this.#model);
  }

  accountFailure(): void {
    const hasOutput = this.#hasOutput || this.#decoder.untoldChars;
    if (hasOutput || (this.#usage && !this.#decoder.usageIsAnnounced)) this.account();
  }

  /** About how many came, told or not. */
  get #generatedTokens(): number {
    return this.#outputTokens + Math.ceil((this.#decoder.untoldChars ?? 0) / CHARACTERS_PER_TOKEN);
  }

  dispose(): void {
    this.#commit.dispose();
  }

  #take(message: StreamMessage): void {
    if (message.event === 'ping') {
      if (this.#call.committed) this.#pending += this.#commit.keepAlive;
      return;
    }
    for (const event of this.#decoder.push(message)) this.#handle(event);
  }

  #handle(event: CompletionEvent): void {
    if (this.#ended || this.#finishing) return;
    if (event.type === 'error') {
      this.#attempt.fail(event.error);
      this.#ended = true;
      return;
    }
    if (event.type === 'start') {
      this.#model = event.model;
      identifyAnswer(event, this.#call);
      this.#servedTier = servedTier(event.extra?.fields);
    }
    if (event.type === 'usage') this.#usage = event.usage;
    if (event.type === 'part_start') noteSpoken(this.#gateway, this.#call, event.value);
    if (event.type === 'part_delta') this.#outputTokens += estimatePiece(event.delta);
    if (this.#call.ends) noteEnd(this.#call.ends, event);
    this.#watch?.note(event);
    if (this.#isOutput(event)) this.#hasOutput = true;
    if (event.type === 'end') {
      const refusal = this.#call.committed ? undefined : this.#watch?.refusal;
      if (refusal) {
        this.#attempt.fail(refusal);
        this.#ended = true;
        return;
      }
      this.#sayUsage();
    }
    if (event.type === 'end') this.#complete = true;
    const text = this.#encoder.push(event);
    if (event.type === 'end') {
      keepAnswer(this.#gateway, this.#call, this.#encoder.answer);
      this.#finishing = true;
      this.#attempt.whenNoted(() => this.#succeed(text));
    } else {
      this.#pending += text;
      this.#noteShown(event, text);
    }
  }

  /** Lifecycle events behind something that the encoder passed over can still be taken back: output is what it writes of it. */
  #noteShown(event: CompletionEvent, text: string): void {
    if (text !== '') this.#showsOutput ||= this.#holdsCall || this.#isOutput(event);
    else if (event.type === 'part_start' && event.value.type === 'tool_call') this.#holdsCall = true;
  }

  /** That a call was refused, and why, may be taken back. */
  #isOutput(event: CompletionEvent): boolean {
    return this.#watch?.isUndecided !== true && isOutput(event);
  }

  #sayUsage(): void {
    if (this.#usage) return;
    const usage = estimateUsage(this.#call.body.length, this.#generatedTokens);
    this.#pending += this.#encoder.push({ type: 'usage', usage });
  }

  #succeed(last: string): void {
    this.#attempt.succeed();
    this.#finish('ok', last);
  }

  /** The client has all that it is to get. What broke off behind that is in the attempt's record. */
  #conclude(rest: CompletionEvent[]): void {
    let last = '';
    for (const event of rest) {
      if (this.#call.ends) noteEnd(this.#call.ends, event);
      if (event.type === 'end') this.#sayUsage();
      last += this.#encoder.push(event);
    }
    this.#finish('ok', last);
  }

  #flush(): void {
    if (this.#ended) return;
    if (this.#showsOutput) this.#commit.noteOutput();
    this.#commit.write(this.#takePending());
  }

  #takePending(): string {
    const text = this.#pending;
    this.#pending = '';
    return text;
  }

  #finish(outcome: 'ok' | GatewayError['kind'], last: string): void {
    this.#ended = true;
    if (outcome === 'ok') this.account();
    else this.accountFailure();
    if (this.#hasOutput) this.#commit.noteOutput();
    settleCall(this.#gateway, this.#call, outcome, 200);
    this.#commit.end(this.#takePending() + last);
  }
}

/** An answer that is followed, so that another attempt can go on with it. */
function beginAnswer(call: Call): BegunAnswer {
  return new BegunAnswer(call.door.dialect.streamEncoder(streamOptions(call)), () => spentBy(call));
}

/** Something that the client will show or act on, after which the answer cannot be taken back. */
function isOutput(event: CompletionEvent): boolean {
  switch (event.type) {
    case 'part_delta':
      return event.delta !== '';
    case 'part_start':
      return (
        event.value.type !== 'text' && event.value.type !== 'reasoning' && event.value.type !== 'refusal'
      );
    case 'finish':
      return true;
    default:
      return false;
  }
}
