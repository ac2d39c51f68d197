import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Larger ones go the way of all bytes: to copy them would cost more than it saves. */
const LARGEST_BYTES = 16 * 1024;
/** The most that stands around one: four digits, and two line ends. */
const FRAME_BYTES = 8;

const CR = 0x0d;
const LF = 0x0a;
const DIGITS = Buffer.from('0123456789abcdef');

/** Where chunks are put together, one after the other: when a write returns, the operating system has nearly always taken all of it. */
let scratch = Buffer.allocUnsafeSlow(LARGEST_BYTES + FRAME_BYTES);

/**
 * Writes more of an answer, as `response.write` does, whose result it gives; the head and the first bytes were given to that. Where the answer
 * goes out in chunks, and nothing waits to be sent, one is written at once in one piece, which Node writes in four in the next tick. What
 * would have to wait, and who is told when it is gone, stays Node's to know.
 */
export function writeChunk(response: ServerResponse, bytes: Buffer | string): boolean {
  const { socket } = response;
  const goesAtOnce =
    response.chunkedEncoding &&
    bytes.length > 0 &&
    bytes.length <= LARGEST_BYTES &&
    response.writableLength === 0 &&
    !response.writableEnded &&
    socket?.writable === true;
  if (!goesAtOnce) return response.write(bytes);
  if (typeof bytes !== 'string') return writeFramed(socket, bytes);
  // Of ASCII alone it is as many bytes as characters.
  if (Buffer.byteLength(bytes) === bytes.length)
    return socket.write(`${bytes.length.toString(16)}\r\n${bytes}\r\n`, 'latin1');
  return response.write(bytes);
}

/** RFC 9112 7.1. */
function writeFramed(socket: Socket, bytes: Buffer): boolean {
  const { length } = bytes;
  let start = 1;
  for (let rest = length >> 4; rest > 0; rest >>= 4) start += 1;
  for (let at = start - 1, rest = length; at >= 0; at -= 1, rest >>= 4) scratch[at] = DIGITS[rest & 0xf] ?? 0;
  scratch[start] = CR;
  scratch[start + 1] = LF;
  bytes.copy(scratch, start + 2);
  const end = start + 2 + length;
  scratch[end] = CR;
  scratch[end + 1] = LF;
  const isTaken = socket.write(scratch.subarray(0, end + 2));
  // The rest of it is the socket's until it is sent.
  if (socket.writableLength > 0) scratch = Buffer.allocUnsafeSlow(scratch.length);
  return isTaken;
}
