import { Connections, type SendOptions } from '../../src/upstream/connections.ts';
import { Deadlines } from '../../src/upstream/deadlines.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../../src/upstream/exchange.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { buildUpstream } from '../../src/upstream/upstream.ts';
import { NO_SIGN_IN } from './sign-in.ts';

export type ExchangeEvent = 'request' | 'start' | 'data' | 'end' | 'error';

/** Notes what an exchange tells, and steers it where a test says so. */
export class ExchangeRecorder implements ExchangeHandler {
  readonly events: ExchangeEvent[] = [];
  readonly chunks: Buffer[] = [];
  /** Resolves once the exchange has ended, in whatever way, and its connection has rested. */
  readonly over: Promise<this>;
  status = 0;
  headers: AnswerHeaders = {};
  error: (Error & { code?: unknown }) | undefined;
  control: ExchangeControl | undefined;
  readonly #on: (event: ExchangeEvent, control: ExchangeControl, recorder: ExchangeRecorder) => void;
  #done: () => void = () => undefined;

  constructor(
    on: (event: ExchangeEvent, control: ExchangeControl, recorder: ExchangeRecorder) => void = () =>
      undefined,
  ) {
    this.#on = on;
    this.over = new Promise((resolve) => {
      this.#done = () => setImmediate(() => setImmediate(() => setImmediate(resolve, this)));
    });
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.body.toString('latin1');
  }

  /** The events, several pieces of data as one. */
  get course(): string {
    return this.events.filter((event, at) => event !== 'data' || this.events[at - 1] !== 'data').join(' ');
  }

  onRequestStart(control: ExchangeControl): void {
    this.control = control;
    this.#tell('request', control);
  }

  onResponseStart(control: ExchangeControl, status: number, headers: AnswerHeaders): void {
    this.status = status;
    this.headers = headers;
    this.#tell('start', control);
  }

  onResponseData(control: ExchangeControl, chunk: Buffer): void {
    this.chunks.push(chunk);
    this.#tell('data', control);
  }

  onResponseEnd(control: ExchangeControl): void {
    this.#done();
    this.#tell('end', control);
  }

  onResponseError(control: ExchangeControl, error: Error): void {
    this.error = error;
    this.#done();
    this.#tell('error', control);
  }

  #tell(event: ExchangeEvent, control: ExchangeControl): void {
    this.events.push(event);
    this.#on(event, control, this);
  }
}

const LONG = { connectMs: 20_000, firstByteMs: 20_000, idleMs: 20_000 };

const declaration = (await loadDeclarations()).find(({ name }) => name === 'openai-compatible');
if (!declaration) throw new Error('there is no such provider');
const UPSTREAM = buildUpstream(
  {
    name: 'up',
    declaration,
    baseUrl: 'http://test.invalid',
    accounts: [],
    timeouts: { ...LONG, totalMs: 20_000 },
  },
  NO_SIGN_IN,
);

export function createConnections(ca?: string): Connections {
  const monotonicMs = () => performance.now();
  return new Connections({ now: Date.now, monotonicMs, deadlines: new Deadlines(monotonicMs), ca });
}

export type Asked = Partial<Omit<SendOptions, 'origin' | 'timeouts'>> & {
  timeouts?: Partial<SendOptions['timeouts']>;
};

/** Sends a request and hands what comes to the recorder, which it gives back. */
export function ask(
  connections: Connections,
  origin: string,
  asked: Asked = {},
  recorder: ExchangeRecorder = new ExchangeRecorder(),
): ExchangeRecorder {
  const { path = '/', headers = [], body, method, destination } = asked;
  const timeouts = { ...LONG, ...asked.timeouts };
  connections.dispatch(UPSTREAM, { origin, destination, path, method, headers, body, timeouts }, recorder);
  return recorder;
}
