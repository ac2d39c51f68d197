import { connect } from 'node:net';
import type { CallSpec } from './call-spec.ts';
import { MessageReader } from './message-reader.ts';

/** A keep-alive connection that makes the same call as often as it is told to, one at a time. */
export interface Connection {
  /** Sends the call. Only when it is connected and the answer to the one before has arrived. */
  send(): void;
  close(): void;
}

export interface ConnectionListener {
  onConnected(connection: Connection): void;
  /** Bytes came. */
  onRead?(): void;
  /** The first body bytes of an answer came. */
  onFirstBytes?(connection: Connection): void;
  /** An answer has arrived and was the expected one. */
  onAnswer(connection: Connection): void;
  onFailure(error: Error): void;
}

/** Sockets are read one at a time, each read used up before the next: one buffer does for all of them. */
const READ_BUFFER = Buffer.allocUnsafe(64 * 1024);

/** How much of an answer is looked at, and shown where it is wrong. */
const SAMPLE_BYTES = 300;

export function openConnection(spec: CallSpec, listener: ConnectionListener): Connection {
  let status = 0;
  let bodyBytes = 0;
  let sample = '';
  let isMarked = false;

  const reader = new MessageReader({
    onHead(head) {
      status = Number(head.slice(9, 12));
      bodyBytes = 0;
      sample = '';
    },
    onBody(bytes) {
      if ((status !== 200 || !isMarked) && sample.length < SAMPLE_BYTES) {
        sample += bytes.toString('utf8', 0, SAMPLE_BYTES);
      }
      if (bodyBytes === 0) listener.onFirstBytes?.(connection);
      bodyBytes += bytes.length;
    },
    onEnd() {
      checkAnswer();
      listener.onAnswer(connection);
    },
  });
  /** The first answer's first bytes, and the length of all. */
  const checkAnswer = (): void => {
    const { least, most } = spec.bodyBytes;
    if (status !== 200) throw new Error(`status ${status}: ${sample}`);
    if (bodyBytes < least || bodyBytes > most) {
      throw new Error(`${bodyBytes} body bytes instead of ${least === most ? least : `${least} to ${most}`}`);
    }
    if (!isMarked && !sample.includes(spec.marker)) throw new Error(`no ${spec.marker} in ${sample}`);
    isMarked = true;
  };
  const takeBytes = (length: number): boolean => {
    listener.onRead?.();
    try {
      reader.feed(READ_BUFFER.subarray(0, length));
    } catch (error) {
      listener.onFailure(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  };

  const socket = connect({
    host: '127.0.0.1',
    port: spec.port,
    noDelay: true,
    onread: { buffer: READ_BUFFER, callback: takeBytes },
  });
  const connection: Connection = {
    send: () => void socket.write(spec.request),
    close: () => void socket.destroy(),
  };
  socket.on('connect', () => listener.onConnected(connection));
  socket.on('error', listener.onFailure);
  socket.on('close', () => listener.onFailure(new Error('the connection was closed')));
  return connection;
}
