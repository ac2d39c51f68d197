import type { Transform } from 'node:stream';
import { GatewayError } from '../conversation/gateway-error.ts';
import { kindOfStatus } from '../dialects/reported-error.ts';
import type { Timed } from '../upstream/deadlines.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../upstream/exchange.ts';
import { networkError } from '../upstream/network-errors.ts';
import { leaveAddress, takeAddress } from './choose-address.ts';
import { findDecompressor } from './decompressing-receiver.ts';
import type { Gateway } from './gateway.ts';
import { heedTimes, noteTimes } from './heed-times.ts';
import { namedWaitMs } from './named-wait.ts';
import type { PlannedAttempt } from './plan.ts';

const NOTHING = Buffer.alloc(0);

/**
 * Reads something from a provider that no client asks for. Gives the status; the bytes of a good answer are taken as they arrive.
 *
 * @throws GatewayError where the provider wants to be left alone, cannot be reached, does not finish in time, or breaks off; and what
 * `take` throws
 */
export async function askProvider(
  gateway: Pick<Gateway, 'connections' | 'deadlines' | 'monotonicMs' | 'now'>,
  { target, account, lane }: Pick<PlannedAttempt, 'target' | 'account' | 'lane'>,
  path: string,
  take: (bytes: Buffer) => void,
): Promise<number> {
  const { upstream, timeouts } = target;
  const { origin, signer } = account;
  heedTimes(gateway, lane, upstream.name);
  const signed = (await signer?.sign({ method: 'GET', origin, path, body: NOTHING })) ?? [];
  const headers = [...account.headers, ...signed];
  const sentMs = gateway.monotonicMs();
  const question = new Question(upstream.name, take, (status, answered) =>
    noteTimes(gateway, lane, failureByHead(upstream.name, status, answered, gateway.now()), sentMs),
  );
  const taken = takeAddress({ target, account });
  gateway.deadlines.add(question, gateway.monotonicMs(), timeouts.totalMs);
  try {
    const request = { origin, destination: taken?.address, path, method: 'GET', headers, timeouts } as const;
    gateway.connections.dispatch(upstream, { ...request, body: undefined }, question);
    return await question.answered;
  } finally {
    gateway.deadlines.remove(question, timeouts.totalMs);
    if (taken) leaveAddress(taken);
  }
}

/** What an error answer says without its words. */
function failureByHead(provider: string, status: number, headers: AnswerHeaders, now: number): GatewayError {
  const kind = kindOfStatus(status);
  const retryAfterMs = namedWaitMs({ kind, message: '' }, headers, now);
  return new GatewayError(kind, `The provider '${provider}' answered with status ${status}.`, {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

class Question implements ExchangeHandler, Timed {
  readonly answered: Promise<number>;
  readonly #answer: PromiseWithResolvers<number>;
  readonly #provider: string;
  readonly #take: (bytes: Buffer) => void;
  readonly #onRefused: (status: number, headers: AnswerHeaders) => void;
  #status = 0;
  #exchange: ExchangeControl | undefined;
  #hasFailed = false;
  #decompressor: Transform | undefined;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(
    provider: string,
    take: (bytes: Buffer) => void,
    onRefused: (status: number, headers: AnswerHeaders) => void,
  ) {
    this.#provider = provider;
    this.#take = take;
    this.#onRefused = onRefused;
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
    if (status > 299) this.#onRefused(status, headers);
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
