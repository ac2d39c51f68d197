import type { ServerResponse } from 'node:http';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { KeptAtProvider } from '../responses/kept-response.ts';
import type { Lane } from '../routing/lane.ts';
import type { Target } from '../routing/target.ts';
import type { Method } from '../upstream/connections.ts';
import { findEndpoint, pathSegment } from '../upstream/endpoint.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../upstream/exchange.ts';
import { networkError } from '../upstream/network-errors.ts';
import type { Account } from '../upstream/upstream.ts';
import type { Call } from './call.ts';
import { declaredHeaders, mergeHeaders } from './callers-headers.ts';
import { leaveAddress, takeAddress } from './choose-address.ts';
import { credentialsRejected, inUse, noteAcceptance, noteFailure, noteNothing } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { heedTimes, noteTimes } from './heed-times.ts';
import { logFailedAnswer, MAX_ERROR_BYTES, readFailedAnswer, withoutSecrets } from './upstream-failure.ts';

/** What is asked of the provider that keeps a response. */
export interface KeptRequest {
  method: Method;
  /** What stands behind the response's id: ``, `/input_items`, … */
  resource: string;
  /** The query as the client sent it, with its question mark; empty where there is none. */
  query: string;
  dialect: Dialect;
  /** As of a call. */
  forward: Call['forward'];
}

interface Place {
  target: Target;
  account: Account;
  lane: Lane | undefined;
  path: string;
}

/**
 * Asks the provider account that keeps a response about it, and relays the answer as it arrives. Nothing is recorded:
 * no model runs. Resolves once the answer was relayed.
 *
 * @throws GatewayError where the account is no longer there, or the provider refuses or fails; nothing was answered then.
 */
export async function relayKept(
  gateway: Gateway,
  kept: KeptAtProvider,
  request: KeptRequest,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const place = locate(gateway, kept, request);
  const { account, path, target, lane } = place;
  const { method } = request;
  heedTimes(gateway, lane, target.upstream.name);
  const { origin, signer } = account;
  const body = undefined;
  const signed = (await signer?.sign({ method, origin, path, body: Buffer.alloc(0) })) ?? [];
  if (!account.standing.mayTry()) throw credentialsRejected(target.upstream);
  const headers = [...mergeHeaders(account.headers, declaredHeaders(request.forward, target)), ...signed];
  const taken = takeAddress({ target, account });
  const destination = taken?.address;
  const options = { origin, destination, path, method, headers, body, timeouts: target.timeouts };
  try {
    await new Promise<void>((resolve, reject) => {
      const relay = new KeptRelay(gateway, place, request.dialect, response, requestId, { resolve, reject });
      gateway.connections.dispatch(target.upstream, options, relay);
    });
  } finally {
    if (taken) leaveAddress(taken);
  }
}

function locate(gateway: Gateway, kept: KeptAtProvider, { dialect, resource, query }: KeptRequest): Place {
  const slash = kept.target.indexOf('/');
  const name = kept.target.slice(0, slash);
  const model = kept.target.slice(slash + 1);
  const upstream = gateway.snapshot.routes.upstreams.get(name);
  const named = upstream?.accounts.find((candidate) => candidate.name === kept.account);
  const account = named && inUse(named);
  const asked = { operation: 'generate', model, stream: false, dialect: dialect.name } as const;
  const endpoint = upstream && account && findEndpoint(upstream, account, asked);
  if (!upstream || !account || endpoint?.dialect.name !== dialect.name) {
    throw new GatewayError(
      'not_found',
      `The provider account that keeps the response '${kept.id}' is no longer configured here.`,
    );
  }
  const [path = '', ownQuery] = endpoint.path.split('?', 2);
  const queries = [ownQuery, query.slice(1)].filter((part) => part !== undefined && part !== '');
  const whole = `${path}/${pathSegment(kept.id)}${resource}`;
  return {
    target: { name: kept.target, upstream, model, timeouts: upstream.timeouts },
    account,
    // What is asked about answers has limits of its own.
    lane: gateway.snapshot.routes.laneBeside('responses', upstream, account.name),
    path: queries.length === 0 ? whole : `${whole}?${queries.join('&')}`,
  };
}

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

/** Relays a good answer to the client, and collects any other. */
class KeptRelay implements ExchangeHandler {
  readonly #gateway: Gateway;
  readonly #place: Place;
  readonly #dialect: Dialect;
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #settle: Settle;
  #exchange: ExchangeControl | undefined;
  readonly #sentMs: number;
  #status = 0;
  #headers: AnswerHeaders = {};
  #failed: Buffer[] = [];
  #failedBytes = 0;

  constructor(
    gateway: Gateway,
    place: Place,
    dialect: Dialect,
    response: ServerResponse,
    requestId: string,
    settle: Settle,
  ) {
    this.#gateway = gateway;
    this.#place = place;
    this.#dialect = dialect;
    this.#response = response;
    this.#requestId = requestId;
    this.#settle = settle;
    this.#sentMs = gateway.monotonicMs();
    response.on('close', () => {
      if (response.writableFinished) return;
      this.#exchange?.abort(new Error('the client closed the connection'));
      noteNothing(place);
      settle.resolve();
    });
    response.on('drain', () => this.#exchange?.resume());
  }

  onRequestStart(exchange: ExchangeControl): void {
    this.#exchange = exchange;
    if (this.#response.destroyed) exchange.abort(new Error('the client closed the connection'));
  }

  onResponseStart(_exchange: ExchangeControl, status: number, headers: AnswerHeaders): void {
    this.#status = status;
    this.#headers = headers;
    if (!this.#isGood) return;
    const relayed = ['content-type', 'content-length', 'content-encoding'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [name, value] : [];
    });
    this.#response.writeHead(status, [
      ...relayed,
      'x-request-id',
      this.#requestId,
      'x-fairlead-target',
      encodeURI(this.#place.target.name),
    ]);
  }

  onResponseData(exchange: ExchangeControl, chunk: Buffer): void {
    if (!this.#isGood) this.#collect(chunk);
    else if (!this.#response.write(chunk)) exchange.pause();
  }

  onResponseEnd(): void {
    if (!this.#isGood) {
      this.#settle.reject(this.#readFailure());
      return;
    }
    if (this.#place.account.standing.watched) noteAcceptance(this.#gateway, this.#place);
    this.#response.end();
    this.#settle.resolve();
  }

  onResponseError(_exchange: ExchangeControl, error: Error): void {
    noteNothing(this.#place);
    if (this.#response.headersSent) this.#response.destroy();
    else this.#settle.reject(networkError(this.#place.target.upstream.name, error));
  }

  #collect(chunk: Buffer): void {
    this.#failedBytes += chunk.length;
    if (this.#failedBytes <= MAX_ERROR_BYTES) this.#failed.push(chunk);
  }

  get #isGood(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }

  #readFailure(): GatewayError {
    const { target, account } = this.#place;
    const body = Buffer.concat(this.#failed).toString('utf8');
    if (this.#status === 401) account.signer?.reject();
    const now = this.#gateway.now();
    const failed = readFailedAnswer(this.#dialect, target, this.#status, this.#headers, body, now);
    const fields = { target: target.name, account: account.name, status: this.#status };
    logFailedAnswer(this.#gateway.log, failed, account.secrets(), fields);
    const error = withoutSecrets(failed.error, account.secrets());
    noteFailure(this.#gateway, this.#place, error);
    noteTimes(this.#gateway, this.#place.lane, error, this.#sentMs);
    return error;
  }
}
