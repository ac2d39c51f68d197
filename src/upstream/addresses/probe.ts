import { kindOfStatus } from '../../dialects/reported-error.ts';
import type { Connections } from '../connections.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../exchange.ts';
import type { Account, Upstream } from '../upstream.ts';
import type { Address } from './address.ts';
import { CheckRefusal } from './check-refusal.ts';
import type { CheckOptions } from './servers.ts';

export interface ProbeOptions {
  upstream: Upstream;
  account: Account;
  address: Address;
  /** Absent: any answer will do, and no credential is sent. */
  check: CheckOptions | undefined;
}

export interface ProbeContext {
  connections: Pick<Connections, 'dispatch'>;
  /** Runs a task once after a delay; the function given back calls it off. */
  schedule(task: () => void, delayMs: number): () => void;
  /** For how long an answer that is no success wants that nothing else is asked, in milliseconds. */
  namedWaitMs(status: number, headers: AnswerHeaders): number | undefined;
}

const ANSWER_MS = 2_000;
const NOTHING = Buffer.alloc(0);

/**
 * Asks an address whether it is well, over a connection of its own: one that was kept says nothing of whether there are new ones.
 *
 * @throws Error where it is not; `CheckRefusal` where it answered a configured check
 */
export async function probeAddress(context: ProbeContext, options: ProbeOptions): Promise<void> {
  const { upstream, account, address, check } = options;
  const { origin, basePath } = account;
  const path = check ? pathOf(check.path, basePath) : basePath || '/';
  const timeoutMs = check?.timeout ?? ANSWER_MS;
  const headers = check ? await headersOf(account, path) : [];
  await new Promise<void>((resolve, reject) => {
    const callOff = context.schedule(
      () => probe.fail(new Error(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const probe = new Probe(check && context, (error) => {
      callOff();
      if (error) reject(error);
      else resolve();
    });
    const timeouts = { connectMs: timeoutMs, firstByteMs: timeoutMs, idleMs: timeoutMs };
    const request = { origin, destination: address, path, method: 'GET', headers, body: undefined } as const;
    try {
      context.connections.dispatch(upstream, { ...request, timeouts }, probe);
    } catch (thrown) {
      probe.fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  });
}

function pathOf(path: string, basePath: string): string {
  return path.startsWith('/') ? path : `${basePath}/${path}`;
}

/** With the credential that calls have: the account's, or the one that has replaced it. */
async function headersOf(named: Account, path: string): Promise<string[]> {
  const { next } = named;
  const account = named.standing.isOut && next && !next.standing.isOut ? next : named;
  const { headers, signer, origin } = account;
  const signed = await signer?.sign({ method: 'GET', origin, path, body: NOTHING });
  return signed ? [...headers, ...signed] : headers;
}

class Probe implements ExchangeHandler {
  /** Absent: any answer will do. */
  readonly #judge: Pick<ProbeContext, 'namedWaitMs'> | undefined;
  readonly #settle: (error: Error | undefined) => void;
  #exchange: ExchangeControl | undefined;
  #isOver = false;

  constructor(
    judge: Pick<ProbeContext, 'namedWaitMs'> | undefined,
    settle: (error: Error | undefined) => void,
  ) {
    this.#judge = judge;
    this.#settle = settle;
  }

  onRequestStart(exchange: ExchangeControl): void {
    this.#exchange = exchange;
    if (this.#isOver) exchange.abort(new Error('the check is over'));
  }

  onResponseStart(exchange: ExchangeControl, status: number, headers: AnswerHeaders): void {
    this.#end(this.#refusalBy(status, headers));
    // Whatever else it says: the connection is not used again.
    exchange.abort(new Error('the check is over'));
  }

  #refusalBy(status: number, headers: AnswerHeaders): CheckRefusal | undefined {
    if (!this.#judge || (status >= 200 && status <= 299)) return undefined;
    const isLimited = kindOfStatus(status) === 'upstream_rate_limited';
    const waitMs = this.#judge.namedWaitMs(status, headers);
    return new CheckRefusal(`the check was answered with status ${status}`, isLimited, waitMs);
  }

  onResponseData(): void {}

  onResponseEnd(): void {}

  onResponseError(_exchange: ExchangeControl, error: Error): void {
    this.#end(error);
  }

  fail(error: Error): void {
    this.#end(error);
    this.#exchange?.abort(error);
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settle(error);
  }
}
