import { GatewayError } from '../conversation/gateway-error.ts';
import { pushRateHeaders, pushRefusedRate } from '../quotas/rate-headers.ts';
import { nameSide } from '../usage/rollout-note.ts';
import type { Call, CallSide } from './call.ts';
import type { Gateway } from './gateway.ts';
import { headerText, nameDropped } from './name-dropped.ts';
import { pushRetirement } from './retire-model.ts';
import { retryHeaders } from './retry-headers.ts';
import { endAnswer, settleCall } from './settle.ts';

const JSON_TYPE = 'application/json';
const EVENT_STREAM = 'text/event-stream; charset=utf-8';

/** Begins a stream towards the client. */
export function beginStream(call: Call): void {
  call.committed = true;
  const headers = answerHeaders(call, call.door.streamType ?? EVENT_STREAM);
  // For proxies between us and the client: nginx buffers answers unless it is told not to.
  headers.push('cache-control', 'no-cache', 'x-accel-buffering', 'no');
  call.response.writeHead(200, headers);
}

/** Begins a JSON answer that is relayed while it arrives; `length` where the provider announced it. */
export function beginBody(call: Call, length: string | undefined): void {
  call.committed = true;
  const headers = answerHeaders(call, JSON_TYPE);
  if (length !== undefined) headers.push('content-length', length);
  call.response.writeHead(200, headers);
}

/** Begins an answer of any content, which is relayed while it arrives; `content`: the headers that tell what it is. */
export function beginBytes(call: Call, content: string[]): void {
  call.committed = true;
  call.response.writeHead(200, [...answerHeaders(call), ...content]);
}

/** A whole JSON answer: the record first, then the bytes. */
export function sendJson(gateway: Gateway, call: Call, body: Buffer): void {
  settleCall(gateway, call, 'ok', 200);
  call.committed = true;
  const headers = answerHeaders(call, call.door.bodyType ?? JSON_TYPE);
  headers.push('content-length', String(body.length));
  call.response.writeHead(200, headers);
  endInOneWrite(gateway, call, body);
}

/** An error in the caller's dialect, for calls of which nothing was answered yet. */
export function sendError(gateway: Gateway, call: Call, error: GatewayError): void {
  const { dialect } = call.door;
  const status = dialect.errorStatus?.(error) ?? error.status;
  settleCall(gateway, call, error.kind, status);
  const body = Buffer.from(JSON.stringify(dialect.encodeError(error)));
  const headers = answerHeaders(call, JSON_TYPE);
  headers.push('content-length', String(body.length));
  for (const [name, value] of Object.entries(retryHeaders(error))) headers.push(name, value);
  call.response.writeHead(status, headers);
  endInOneWrite(gateway, call, body);
}

/**
 * Ends a call of which nothing was answered with what a step of it threw, unless another version of its prompt takes over: then it goes on. A
 * client that has left is told nothing.
 */
export function failCall(gateway: Gateway, call: Call, thrown: unknown): void {
  if (call.cancelled || call.answerInstead?.(thrown)) return;
  try {
    sendError(gateway, call, toGatewayError(gateway, call, thrown));
  } catch (err) {
    gateway.log.error({ call: call.id, err }, 'a call could not be answered');
    call.response.destroy();
  }
}

/** Up to this size a copy is cheaper than a second buffer for the kernel to gather. */
const ONE_WRITE_BYTES = 16 * 1024;

/** Node joins head and body into one write only where the body is text; as latin1 it is the same bytes. */
function endInOneWrite(gateway: Gateway, call: Call, body: Buffer): void {
  if (body.length <= ONE_WRITE_BYTES) endAnswer(gateway, call, body.toString('latin1'), 'latin1');
  else endAnswer(gateway, call, body);
}

/** Anything thrown, as the error that the caller sees. What was not foreseen is `internal`, told to the operator only. */
export function toGatewayError(gateway: Gateway, call: Call, thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  gateway.log.error(
    { call: call.id, err: thrown },
    'a call failed for a reason that the gateway does not know',
  );
  return new GatewayError(
    'internal',
    `The gateway failed. Quote the request id ${call.id} to its operator.`,
    {
      cause: thrown,
    },
  );
}

function answerHeaders(call: Call, contentType?: string): string[] {
  const headers = ['x-request-id', call.id];
  if (contentType !== undefined) headers.push('content-type', contentType);
  if (call.door.requestIdHeader !== undefined) headers.push(call.door.requestIdHeader, call.id);
  if (call.door.headers) for (const word of call.door.headers) headers.push(word);
  if (call.target) headers.push('x-fairlead-target', headerText(call.target.name));
  headers.push('x-fairlead-attempts', String(call.attempts.length));
  if (call.target) headers.push('server-timing', serverTiming(call));
  if (call.snapshot.routes.hasNotices) pushRetirement(headers, call);
  if (call.rollout) pushSide(headers, call.rollout);
  if (call.reservation) pushRateHeaders(headers, call.door.dialect.name, call.reservation);
  else if (call.refusal) pushRefusedRate(headers, call.door.dialect.name, call.refusal);
  const dropped = call.droppedOfAnswer?.length ? [...call.dropped, ...call.droppedOfAnswer] : call.dropped;
  if (dropped.length > 0) headers.push('x-fairlead-dropped', nameDropped(dropped));
  return headers;
}

function pushSide(headers: string[], side: CallSide): void {
  headers.push('x-fairlead-rollout', nameSide(side));
  if (side.release !== undefined) headers.push('x-fairlead-release', String(side.release));
}

/**
 * W3C Server Timing: our own time up to sending, the provider's up to its answer's head, and that in the queue of calls that
 * waited for a place, in milliseconds.
 */
function serverTiming({ startedMs, sentMs, answeredMs, queuedMs }: Call): string {
  const gateway = hundredths(sentMs - startedMs - queuedMs);
  const timing = `gateway;dur=${gateway}, upstream;dur=${hundredths(answeredMs - sentMs)}`;
  return queuedMs === 0 ? timing : `${timing}, queue;dur=${hundredths(queuedMs)}`;
}

/** As `toFixed(2)` writes it, which costs twice as much. What would be negative, because it did not come to it, is none. */
function hundredths(ms: number): string {
  const all = Math.max(0, Math.round(ms * 100));
  const whole = Math.floor(all / 100);
  const rest = all - whole * 100;
  return rest < 10 ? `${whole}.0${rest}` : `${whole}.${rest}`;
}
