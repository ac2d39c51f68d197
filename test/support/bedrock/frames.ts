import { EventStreamCodec } from '@smithy/core/event-streams';
import type { JsonObject } from '../../../src/conversation/json.ts';

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8')),
  (text) => Buffer.from(text, 'utf8'),
);

/** A frame of an AWS event stream with these string headers. */
export function writeFrame(headers: Record<string, string>, body: string): Buffer {
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }]);
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(body, 'utf8') }));
}

/** The order of the headers is that of recorded frames. */
export function writeEvent(type: string, body: JsonObject): Buffer {
  const headers = { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' };
  return writeFrame(headers, JSON.stringify(body));
}

export function writeException(type: string, body: JsonObject): Buffer {
  const headers = {
    ':exception-type': type,
    ':content-type': 'application/json',
    ':message-type': 'exception',
  };
  return writeFrame(headers, JSON.stringify(body));
}

/** An error that the service's model does not declare. */
export function writeError(code: string, message: string): Buffer {
  return writeFrame({ ':error-code': code, ':error-message': message, ':message-type': 'error' }, '');
}
