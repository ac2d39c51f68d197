import type { Transform } from 'node:stream';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Timed } from '../upstream/deadlines.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../upstream/exchange.ts';
import { networkError } from '../upstream/network-errors.ts';
import { findDecompressor } from './decompressing-receiver.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';

const NOTHING = Buffer.alloc(0);

/**
 * Reads something from a provider that no client asks for. Gives the status; the bytes of a good answer are taken as they arrive.
 *
 * @throws GatewayError where the provider cannot be reached, does not finish in time, or breaks off; and what `take` throws
 */
export async function askProvider(
  gateway: Pick<Gateway, 'connections' | 'deadlines' | 'monotonicMs'>,
  { target, account }: Pick<PlannedAttempt, 'target' | 'account'>,
  path: string,
  take: (bytes: Buffer) => void,
): Promise<number> {
  const { upstream, timeouts } = target;
  const { origin, signer } = account;
  const signed = (await signer?.sign({ method: 'GET', origin, path, body: NOTHING })) ?? [];
  const headers = [...account.headers, ...signed];
  const question = new Question(upstream.name, take);
  gateway.deadlines.add(question, gateway.monotonicMs(), timeouts.totalMs);
  try {
    gateway.connections.dispatch(
      upstream,
      { origin, path, method: 'GET', headers, body: undefined, timeouts },
      question,
    );
    return await question.answered;
  } finally {
    gateway.deadlines.remove(question, timeouts.totalMs);
  }
}

class Question implements ExchangeHandler, Timed {
  readonly answered: Promise<number>;
  readonly #answer: PromiseWithResolvers<number>;
  readonly #provider: string;
  readonly #take: (bytes: Buffer) => void;
  #status = 0;
  #exchange: ExchangeControl | undefined;
  #hasFailed = false;
  #decompressor: Transform | undefined;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(provider: string, take: (bytes: Buffer) => void) {
    this.#provider = provider;
    this.#take = take;
    this.#answer = Promise.withResolvers();
    this.answered = this.#answer.promise;
  }

  expire(): void {
    this.#fail(
      new GatewayError('upstream_timeout', `The provider '${this.#provider}' did not finish in time.`),
    );
  }

  onRequestStart(exchange: ExchangeControl): void {
    this.#exchange = exchange;
    if (this.#hasFailed) exchange.abort(new Error('its time was up before it was sent'));
  }

  onResponseStart(exchange: ExchangeControl, status: number, headers: AnswerHeaders): void {
    this.#status = status;
    const decompressor = findDecompressor(headers)?.();
    if (!decompressor) return;
    this.#decompressor = decompressor;
    decompressor.on('data', (bytes: Buffer) => this.#hand(bytes));
    decompressor.on('drain', () => exchange.resume());
    decompressor.on('end', () => this.#answer.resolve(status));
    decompressor.on('error', (error) => this.#fail(error));
  }

  onResponseData(exchange: ExchangeControl, chunk: Buffer): void {
    if (!this.#decompressor) this.#hand(chunk);
    else if (!this.#decompressor.write(chunk)) exchange.pause();
  }

  onResponseEnd(): void {
    if (this.#decompressor) this.#decompressor.end();
    else this.#answer.resolve(this.#status);
  }

  onResponseError(_exchange: ExchangeControl, error: Error): void {
    this.#decompressor?.destroy();
    this.#answer.reject(networkError(this.#provider, error));
  }

  #hand(bytes: Buffer): void {
    if (this.#status < 200 || this.#status > 299) return;
    try {
      this.#take(bytes);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    this.#hasFailed = true;
    this.#answer.reject(thrown);
    this.#decompressor?.destroy();
    this.#exchange?.abort(new Error('what was asked for is not read to its end'));
  }
}
