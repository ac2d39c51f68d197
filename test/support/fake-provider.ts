import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import type { ModelUsage } from './fake-model.ts';
import type { Reply } from './fake-reply.ts';
import { sendReply } from './fake-wire.ts';
import { Refusal } from './refusal.ts';

export interface FakeOptions {
  /** What the fake accepts as credential. */
  apiKey?: string;
  /** Splits every write into pieces of this many bytes, inside UTF-8 characters and line ends too. */
  cutBytes?: number;
  /** Models it knows beside its own. */
  models?: readonly string[];
}

export interface LoggedRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  rawBody: Buffer;
  /** Parsed; undefined where it is no JSON. */
  body: JsonValue | undefined;
  /** The client went away before the answer was whole. */
  aborted: boolean;
  /** When it did, on the clock of `performance.now()`. */
  abortedAt: number | undefined;
  /** The status that was answered; undefined while nothing was. */
  status: number | undefined;
  /** What the model used, in its own buckets; undefined where none ran or the script has something go wrong. */
  usage: ModelUsage | undefined;
}

/** What a fake's own code sees of a request. */
export interface IncomingCall {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  rawBody: Buffer;
  /** Directives set on the server (`setBehaviour`), in the language of `fake-script.ts`. */
  behaviour: string;
}

export interface FakeProvider {
  /** The base URL as the vendor's own SDK takes it. */
  url: string;
  apiKey: string;
  /** Every request, in the order of arrival; logged as soon as its body is there. */
  requests: LoggedRequest[];
  /** How many connections were opened, ever. */
  readonly connections: number;
  /** The next request (or one already logged) that its client abandoned. */
  waitForAbort(): Promise<LoggedRequest>;
  /** Puts directives before every script, for so many requests. `undefined` ends it. */
  setBehaviour(script: string | undefined, times?: number): void;
  close(): Promise<void>;
}

/** A fake's own part: answers a call or throws a `Refusal`. Pure: all that has to do with sockets is done here. */
export type AnswerCall = (call: IncomingCall) => Reply;

export interface FakeDialect {
  /** Appended to the origin to make the SDK's base URL. */
  basePath: string;
  answer: AnswerCall;
}

/** Serves a fake provider on a free port of 127.0.0.1. */
export async function startFake(
  dialect: FakeDialect,
  options: FakeOptions,
  apiKey: string,
): Promise<FakeProvider> {
  const requests: LoggedRequest[] = [];
  const abortWaiters: ((request: LoggedRequest) => void)[] = [];
  let connections = 0;
  let behaviour = { script: '', times: 0 };

  const takeBehaviour = (): string => {
    if (behaviour.times <= 0) return '';
    behaviour.times -= 1;
    return behaviour.script;
  };

  const noteAbort = (logged: LoggedRequest): void => {
    logged.aborted = true;
    logged.abortedAt = performance.now();
    for (const wake of abortWaiters.splice(0)) wake(logged);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const rawBody = await readBody(request);
    if (!rawBody) return;
    const call = describeCall(request, rawBody, takeBehaviour());
    const logged: LoggedRequest = {
      method: call.method,
      path: request.url ?? '',
      headers: call.headers,
      rawBody,
      body: tryParseJson(rawBody.toString('utf8')),
      aborted: false,
      abortedAt: undefined,
      status: undefined,
      usage: undefined,
    };
    requests.push(logged);
    const reply = answerOrRefuse(dialect.answer, call);
    const { slowMs: _slow, ...wrong } = reply.disruption;
    if (Object.keys(wrong).length === 0) logged.usage = reply.usage;
    const ending = { byServer: false };
    response.on('close', () => {
      if (!response.writableFinished && !ending.byServer) noteAbort(logged);
    });
    await sendReply(response, reply, {
      cutBytes: options.cutBytes,
      onHead: (status) => {
        logged.status = status;
      },
      onDestroy: () => {
        ending.byServer = true;
      },
    });
  };

  const server = createServer((request, response) => {
    // A rejection is a bug in the fake: nothing handles it, so that the test run fails on it.
    void serve(request, response);
  });
  server.on('connection', (socket) => {
    connections += 1;
    socket.setNoDelay(true);
  });
  const origin = await listen(server);

  return {
    url: `${origin}${dialect.basePath}`,
    apiKey,
    requests,
    get connections() {
      return connections;
    },
    waitForAbort: () => {
      const already = requests.find((request) => request.aborted);
      if (already) return Promise.resolve(already);
      return new Promise((resolve) => {
        abortWaiters.push(resolve);
      });
    },
    setBehaviour: (script, times = Number.POSITIVE_INFINITY) => {
      behaviour = { script: script ?? '', times: script === undefined ? 0 : times };
    },
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerOrRefuse(answer: AnswerCall, call: IncomingCall): Reply {
  try {
    return answer(call);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const headers = { 'content-type': 'application/json', ...error.headers };
    return { status: error.status, headers, body: JSON.stringify(error.body), disruption: {} };
  }
}

function describeCall(request: IncomingMessage, rawBody: Buffer, behaviour: string): IncomingCall {
  const url = new URL(request.url ?? '/', 'http://fake');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers,
    rawBody,
    behaviour,
  };
}

/** Undefined where the client went away before its body was whole. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch (error) {
    if (request.complete) throw error;
    return undefined;
  }
  return Buffer.concat(chunks);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
