import { connect, type Socket } from 'node:net';
import { MessageReader } from './message-reader.ts';

/** The call that a connection makes again and again, and the answer that it must get. */
export interface CallSpec {
  port: number;
  /** Head and body. */
  request: Buffer;
  /** Of the answer, framing removed. */
  expectedBodyBytes: number;
}

export interface ConnectionListener {
  /** Whether to make one more call; asked when the connection is up and after each answer. */
  takeTurn(): boolean;
  onRead(): void;
  /** An answer has arrived and was the expected one. */
  onAnswer(): void;
  onFailure(error: Error): void;
}

/** Sockets are read one at a time, each read used up before the next: one buffer does for all of them. */
const READ_BUFFER = Buffer.allocUnsafe(64 * 1024);

/** How much of a wrong answer is shown. */
const SAMPLE_BYTES = 300;

/** Opens a keep-alive connection that sends a call as soon as the answer to the one before is complete. */
export function openConnection(spec: CallSpec, listener: ConnectionListener): Socket {
  let status = 0;
  let bodyBytes = 0;
  let sample = '';

  const sendNext = (): void => {
    if (listener.takeTurn()) socket.write(spec.request);
  };
  const reader = new MessageReader({
    onHead(head) {
      status = Number(head.slice(9, 12));
      bodyBytes = 0;
      sample = '';
    },
    onBody(bytes) {
      if (status !== 200 && sample.length < SAMPLE_BYTES) sample += bytes.toString('utf8', 0, SAMPLE_BYTES);
      bodyBytes += bytes.length;
    },
    onEnd() {
      if (status !== 200) throw new Error(`status ${status}: ${sample}`);
      if (bodyBytes !== spec.expectedBodyBytes) {
        throw new Error(`${bodyBytes} body bytes instead of ${spec.expectedBodyBytes}`);
      }
      listener.onAnswer();
      sendNext();
    },
  });
  const takeBytes = (length: number): boolean => {
    listener.onRead();
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
  socket.on('connect', sendNext);
  socket.on('error', listener.onFailure);
  socket.on('close', () => listener.onFailure(new Error('the connection was closed')));
  return socket;
}
