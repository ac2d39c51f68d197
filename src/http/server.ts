import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { chat } from '../dialects/chat/index.ts';
import type { CallerDialect } from '../dialects/dialect.ts';
import { messages } from '../dialects/messages/index.ts';
import { retryHeaders } from '../gateway/retry-headers.ts';
import { guessDialect } from './caller-dialect.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What errors of this route are written in; where nothing is said, what the caller seems to speak. */
    dialect?: CallerDialect;
  }
}

export interface ServerOptions {
  bodyLimitBytes: number;
  /** Which of several workers this is: all answers but those of calls say it. */
  worker?: number | undefined;
  /** The ids that answers carry as `x-request-id`. */
  makeRequestId(): string;
  /** Told of failures that no route foresaw. */
  onInternalError(error: unknown): void;
}

/** Longer than the idle time-out of common load balancers (60 s), so that they close connections first, not we. */
const KEEP_ALIVE_MS = 75_000;

/** A request that is not here whole after this long is given up: slow senders must not hold connections. */
const REQUEST_MS = 120_000;

/** A client that was refused is read on for so long: it may not look for the answer before it has sent everything. */
const DRAIN_BYTES = 64 * 1024 * 1024;
const DRAIN_MS = 10_000;

const MAX_HEADER_BYTES = 32 * 1024;

/** Source: RFC 9110 8.3.1 (`media-type`), as far as its parameters. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/;

/** The HTTP server with what all doors share: bodies as bytes, limits, and errors in the route's dialect. */
export function createHttpServer(options: ServerOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    genReqId: () => options.makeRequestId(),
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
    // Node's own refusal of a request without Host has no body.
    http: { maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false },
    // What Fastify refuses before it has found a route (a path that is no URL).
    frameworkErrors: (thrown, request, reply) => {
      const error = describeError(thrown, request.id, options);
      refuseRaw(reply.raw, request.id, guessDialect(request).encodeError(error), error.status);
    },
    // No route has schemas. Fastify loads two compilers for them, unless it is given some.
    schemaController: { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } },
    clientErrorHandler: (error, socket) => refuseConnection(error.code, socket, options.makeRequestId()),
  });
  app.server.on('checkExpectation', ({ headers, url = '' }: IncomingMessage, response: ServerResponse) => {
    const error = invalidRequest(
      "The gateway meets no expectation but '100-continue'. Leave the Expect header out.",
    );
    response.setHeader('connection', 'close');
    const dialect = guessDialect({ headers, url, query: {} });
    refuseRaw(response, options.makeRequestId(), dialect.encodeError(error), 417);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    if (raw.headers.host !== undefined || raw.httpVersion !== '1.1') {
      // From the head: whoever has no key shall not have a body read.
      if (request.is404) done(unknownUrl(request));
      else done();
      return;
    }
    reply.header('connection', 'close');
    done(invalidRequest('The request has no Host header, which HTTP/1.1 requires.'));
  });
  // Hijacked replies, those of calls, write their own headers.
  app.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('x-request-id', request.id);
    if (options.worker !== undefined) reply.header('x-fairlead-worker', options.worker);
    if (dialectOf(request) === messages) reply.header('request-id', request.id);
    done();
  });
  app.removeAllContentTypeParsers();
  // Fastify refuses what is no media type before any parser is asked. No plain JSON of an announced length comes here.
  app.addHook('preParsing', ({ raw: { headers } }, _reply, payload, done) => {
    const type = headers['content-type'];
    if (type !== undefined && !MEDIA_TYPE.test(type)) delete headers['content-type'];
    done(null, payload);
  });
  // Bodies stay bytes: what passes through is never parsed, and what is parsed is parsed once, by its dialect.
  // JSON is named because a parser that is named is found at once.
  for (const type of ['application/json', '*']) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      const coding = request.headers['content-encoding'];
      if (coding === undefined) done(null, body);
      else
        decodeBody(coding.toLowerCase(), body, options.bodyLimitBytes).then(
          (decoded) => done(null, decoded),
          done,
        );
    });
  }
  app.setErrorHandler<FastifyError>((thrown, request, reply) => {
    const error = describeError(thrown, request.id, options);
    if (!request.raw.complete) {
      // Fastify would close the connection of such a body behind the answer.
      if (error.kind === 'payload_too_large') reply.removeHeader('connection');
      drainBody(request);
    }
    return reply
      .headers(retryHeaders(error))
      .code(error.status)
      .type('application/json')
      .send(JSON.stringify(dialectOf(request).encodeError(error)));
  });
  // The hook above was here first, unless a door hands a request on.
  app.setNotFoundHandler((request) => {
    throw unknownUrl(request);
  });
  return app;
}

function refuseSchema(): never {
  throw new Error('A route has a schema: bodies are checked by their doors.');
}

function unknownUrl({ method, url }: FastifyRequest): GatewayError {
  const message = `There is nothing at ${method} ${url.split('?')[0]}. The README lists the doors.`;
  return new GatewayError('not_found', message, { code: 'unknown_url' });
}

/**
 * Reads and forgets what is still to come of a refused body, up to a bound. A connection that is closed with bytes unread is reset,
 * and the client's system may then throw the answer away before the client has read it.
 */
function drainBody({ raw }: FastifyRequest): void {
  let drained = 0;
  const giveUp = () => {
    // Of one that is whole the connection may have the next request by now.
    if (!raw.complete) raw.destroy();
  };
  const timer = setTimeout(giveUp, DRAIN_MS).unref();
  raw.on('close', () => clearTimeout(timer));
  // Who was refused may leave; without a listener that would end the process.
  raw.on('error', () => {});
  raw.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > DRAIN_BYTES) giveUp();
  });
}

function dialectOf(request: FastifyRequest): CallerDialect {
  return request.routeOptions.config.dialect ?? guessDialect(request);
}

type Decode = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const DECODERS = new Map<string, Decode>([
  ['gzip', promisify(gunzip) as Decode],
  ['deflate', promisify(inflate) as Decode],
  ['br', promisify(brotliDecompress) as Decode],
]);

/** Some clients compress large requests. */
async function decodeBody(coding: string, body: Buffer, maxOutputLength: number): Promise<Buffer> {
  if (coding === 'identity') return body;
  const decode = DECODERS.get(coding);
  if (!decode)
    throw invalidRequest(`The content encoding '${coding}' is not supported; use gzip, deflate or br.`);
  try {
    return await decode(body, { maxOutputLength });
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(maxOutputLength);
    throw new GatewayError('invalid_request', `The request body is not valid ${coding} data.`, { cause });
  }
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError(
    'payload_too_large',
    `The request body is larger than the limit of ${limit} bytes.`,
  );
}

function describeError(
  thrown: FastifyError | GatewayError,
  requestId: string,
  options: ServerOptions,
): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(options.bodyLimitBytes);
  const status = thrown.statusCode ?? 500;
  if (status >= 400 && status < 500) return invalidRequest(thrown.message);
  options.onInternalError(thrown);
  return new GatewayError(
    'internal',
    `The gateway failed. Quote the request id ${requestId} to its operator.`,
    {
      cause: thrown,
    },
  );
}

/** A refusal of the server itself: no route, no hook, no serializer has part in it. */
function refuseRaw(response: ServerResponse, requestId: string, error: JsonObject, status: number): void {
  const body = JSON.stringify(error);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
  });
  response.end(body);
}

/** Answers what is not HTTP, and lets go of the connection: whoever keeps it open half would hold it for ever. */
function refuseConnection(
  code: string | undefined,
  socket: Socket & { _httpMessage?: ServerResponse },
  requestId: string,
): void {
  // An answer that is under way cannot be followed by another; Node's own handler looks at the same field.
  if (code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, reason, error } = describeClientError(code);
  const body = JSON.stringify(chat.encodeError(error));
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\nx-request-id: ${requestId}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** Requests that Node's parser refuses before any route sees them. */
function describeClientError(code: string | undefined): {
  status: number;
  reason: string;
  error: GatewayError;
} {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        reason: 'Request Header Fields Too Large',
        error: invalidRequest(`The request headers are larger than ${MAX_HEADER_BYTES} bytes.`),
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        reason: 'Request Timeout',
        error: invalidRequest('The request did not arrive in time.'),
      };
    default:
      return { status: 400, reason: 'Bad Request', error: invalidRequest('The request is not valid HTTP.') };
  }
}
