import { parseKeepingArguments } from '../conversation/exact-numbers.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { ResponseHeaders } from '../dialects/dialect.ts';
import { estimateCall } from './asked-tier.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { keepAnswer } from './keep-answer.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import { beginStream, sendJson } from './respond.ts';
import { settleCall } from './settle.ts';
import { endStream } from './stream-commit.ts';
import { unreadableAnswer } from './unreadable-answer.ts';

/** Turns a provider's whole answer into what the client gets: JSON text, or the text of a stream for a call that asked for one. */
export type TranslateAnswer = (answer: JsonValue, headers?: ResponseHeaders) => Translated;

interface Translated {
  text: string;
  /** Of what was generated an estimate, where the provider said nothing. */
  usage: Usage | undefined;
  /** The whole answer that the text is of, where it may be kept. */
  written?: JsonObject | undefined;
}

/** An answer larger than this is taken for a mistake. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/** Takes a whole JSON answer in the provider's dialect and gives it in the caller's. */
export class BodyTranslator implements Receiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #translate: TranslateAnswer;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(gateway: Gateway, call: Call, attempt: AttemptControl, translate: TranslateAnswer) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#translate = translate;
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) {
      throw new GatewayError(
        'upstream_unavailable',
        'The provider sent an answer that is too large to translate.',
      );
    }
  }

  end(): void {
    const call = this.#call;
    const body = Buffer.concat(this.#chunks);
    const answer = parseKeepingArguments(body.toString('utf8'));
    if (answer === undefined) {
      const failure = unreadableAnswer(body, call.spoken);
      call.usage = failure.usage ?? call.usage;
      throw failure;
    }
    const { text, usage, written } = this.#read(answer);
    call.usage = usage;
    this.account();
    if (call.usage?.estimated) call.answer = body;
    keepAnswer(this.#gateway, call, written);
    this.#attempt.whenNoted(() => this.#finish(text));
  }

  account(): void {
    this.#call.usage ??= estimateCall(this.#call, 0);
  }

  #finish(text: string): void {
    const call = this.#call;
    this.#attempt.succeed();
    if (!call.stream) {
      sendJson(this.#gateway, call, Buffer.from(text));
      return;
    }
    settleCall(this.#gateway, call, 'ok', 200);
    beginStream(call);
    endStream(this.#gateway, call, text);
  }

  #read(answer: JsonValue): Translated {
    try {
      return this.#translate(answer);
    } catch (thrown) {
      const reported = thrown instanceof GatewayError ? thrown.usage : undefined;
      this.#call.usage = reported ?? this.#call.spoken?.readUsage(answer) ?? this.#call.usage;
      throw thrown;
    }
  }

  /** What a failure reports of its usage was noted when it was read. */
  accountFailure(): void {}
}
