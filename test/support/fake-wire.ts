import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Reply, Stream } from './fake-reply.ts';

interface SendOptions {
  cutBytes: number | undefined;
  onHead: (status: number) => void;
  /** The server is about to cut the connection itself. */
  onDestroy: () => void;
}

/** What comes after the pieces: a clean end, a cut connection, or nothing at all. */
type Ending = 'end' | 'destroy' | 'hang';

const HTML =
  '<!DOCTYPE html>\n<html><head><title>Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n';

/** Writes a reply to the socket, with everything that is to go wrong on the way. */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  { cutBytes, onHead, onDestroy }: SendOptions,
): Promise<void> {
  const { disruption } = reply;
  if (disruption.hang === 'before headers') return;
  const status = disruption.html ?? reply.status;
  const headers =
    disruption.html === undefined ? reply.headers : { 'content-type': 'text/html; charset=utf-8' };
  const { pieces, ending } = planPieces(reply);
  onHead(status);
  response.writeHead(status, headers);
  response.flushHeaders();
  for (const piece of pieces) {
    if (disruption.slowMs !== undefined) await sleep(disruption.slowMs);
    await writeCut(response, piece, cutBytes);
    if (response.destroyed) return;
  }
  if (ending === 'end') response.end();
  if (ending === 'destroy') {
    // Let the client have what was written: a reset would throw it away with the rest.
    await nextTurn();
    onDestroy();
    response.destroy();
  }
}

interface Pieces {
  pieces: Buffer[];
  ending: Ending;
}

function planPieces({ body, disruption }: Reply): Pieces {
  if (disruption.html !== undefined) return { pieces: [Buffer.from(HTML)], ending: 'end' };
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return planStream(body, disruption);
  const whole = typeof body === 'string' ? Buffer.from(body) : body;
  const half = whole.subarray(0, Math.ceil(whole.length / 2));
  if (disruption.truncatedJson) return { pieces: [half], ending: 'end' };
  if (disruption.breakMidStream) return { pieces: [half], ending: 'destroy' };
  if (disruption.hang === 'mid-stream') return { pieces: [half], ending: 'hang' };
  return { pieces: [whole], ending: 'end' };
}

function planStream(stream: Stream, disruption: Reply['disruption']): Pieces {
  const firstOutput = stream.frames.findIndex((frame) => frame.part !== 'start');
  const firstEnd = stream.frames.findIndex((frame) => frame.part === 'end');
  const all = stream.frames.map((frame) => bytesOf(frame.text));
  const error = bytesOf(stream.error);
  const outputs = stream.frames.filter((frame) => frame.part === 'output').length;
  const middle = all.slice(0, firstOutput + Math.ceil(outputs / 2));
  if (disruption.errorInStream === 'at start') {
    return { pieces: [...all.slice(0, firstOutput), error], ending: 'end' };
  }
  if (disruption.errorInStream === 'mid-stream') return { pieces: [...middle, error], ending: 'end' };
  if (disruption.breakMidStream) return { pieces: middle, ending: 'destroy' };
  if (disruption.hang === 'mid-stream') return { pieces: middle, ending: 'hang' };
  if (disruption.truncatedJson) {
    const last = all[middle.length] ?? Buffer.alloc(0);
    return { pieces: [...middle, last.subarray(0, Math.ceil(last.length / 2))], ending: 'end' };
  }
  if (disruption.closeWithoutDone) return { pieces: all.slice(0, -1), ending: 'end' };
  if (disruption.closeEarly) return { pieces: all.slice(0, firstEnd), ending: 'end' };
  if (disruption.empty) return { pieces: all.slice(0, firstOutput), ending: 'end' };
  return { pieces: all, ending: 'end' };
}

function bytesOf(piece: string | Buffer): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece) : piece;
}

async function writeCut(
  response: ServerResponse,
  bytes: Buffer,
  cutBytes: number | undefined,
): Promise<void> {
  const size = cutBytes ?? bytes.length;
  for (let at = 0; at < bytes.length; at += size) {
    if (response.destroyed) return;
    const room = response.write(bytes.subarray(at, at + size));
    if (!room) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    // A turn of the loop between the pieces, so that they reach the socket one by one.
    if (cutBytes !== undefined) await nextTurn();
  }
}
