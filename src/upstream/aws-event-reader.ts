import { crc32 } from 'node:zlib';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { StreamMessage } from '../dialects/dialect.ts';

/** What an answer in this framing says of itself in its `content-type`. */
export const AWS_EVENT_STREAM = 'application/vnd.amazon.eventstream';

/** One frame larger than this is not a stream but a mistake. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;

/** Two lengths and their checksum, which stand before the headers. */
const PRELUDE_BYTES = 12;

/** The prelude and the checksum of the whole: what a frame without headers and body is. */
const LEAST_FRAME_BYTES = 16;

type Frame = ReturnType<EventStreamCodec['decode']>;

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : bufferOf(bytes).toString('utf8')),
  (text) => Buffer.from(text, 'utf8'),
);

/**
 * Bytes of an AWS event stream in, messages out, however the packets are cut.
 *
 * An event becomes `{ event: ':event-type', data: body }`; an exception that the service declares
 * `{ event: ':exception-type', data: body }`; an error that it does not declare
 * `{ event: 'error', data: '{"code":…,"message":…}' }`.
 *
 * Source: Smithy documentation, "Amazon Event Stream Specification" (framing, `:message-type`).
 */
export class AwsEventReader {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** How long the frame is that `#pieces` begin with; 0 while its prelude is not there. */
  #frameBytes = 0;

  /** @throws GatewayError `upstream_unavailable` for bytes that are no frames, or were changed on the way. */
  push(chunk: Buffer): StreamMessage[] {
    if (chunk.length > 0) this.#pieces.push(chunk);
    this.#bytes += chunk.length;
    const messages: StreamMessage[] = [];
    for (;;) {
      if (this.#frameBytes === 0) {
        if (this.#bytes < PRELUDE_BYTES) return messages;
        this.#frameBytes = readFrameLength(this.#joined());
      }
      if (this.#bytes < this.#frameBytes) return messages;
      messages.push(readFrame(this.#take(this.#frameBytes)));
      this.#frameBytes = 0;
    }
  }

  /** @throws GatewayError `upstream_unavailable` where the stream broke off inside a frame. */
  end(): StreamMessage[] {
    if (this.#bytes > 0) throw brokenFrame('its stream ended inside a frame');
    return [];
  }

  #joined(): Buffer {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }

  #take(length: number): Buffer {
    const all = this.#joined();
    const rest = all.subarray(length);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return all.subarray(0, length);
  }
}

/** The prelude's own checksum is looked at first, so that a broken length does not make us wait for its bytes. */
function readFrameLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  const headers = bytes.readUInt32BE(4);
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32BE(8)) {
    throw brokenFrame('the checksum of a frame is wrong');
  }
  if (length < LEAST_FRAME_BYTES + headers) throw brokenFrame('a frame is shorter than its headers');
  if (length > MAX_FRAME_BYTES) throw brokenFrame(`it sent a frame of more than ${MAX_FRAME_BYTES} bytes`);
  return length;
}

function readFrame(bytes: Buffer): StreamMessage {
  let frame: Frame;
  try {
    frame = codec.decode(bytes);
  } catch (cause) {
    throw brokenFrame('a frame cannot be read', cause);
  }
  const type = headerText(frame, ':message-type');
  switch (type) {
    case 'event':
      return { event: headerText(frame, ':event-type'), data: bufferOf(frame.body).toString('utf8') };
    case 'exception':
      return { event: headerText(frame, ':exception-type'), data: bufferOf(frame.body).toString('utf8') };
    case 'error': {
      const code = headerText(frame, ':error-code');
      const message = headerText(frame, ':error-message');
      return { event: 'error', data: JSON.stringify({ code, message }) };
    }
    default:
      throw brokenFrame('a frame does not say what it holds');
  }
}

function headerText({ headers }: Frame, name: string): string {
  const header = headers[name];
  return header?.type === 'string' ? header.value : '';
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function brokenFrame(what: string, cause?: unknown): GatewayError {
  return new GatewayError('upstream_unavailable', `The provider's answer cannot be read: ${what}.`, {
    cause,
  });
}
