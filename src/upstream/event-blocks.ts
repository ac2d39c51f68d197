import { GatewayError } from '../conversation/gateway-error.ts';

const LF = 0x0a;
const CR = 0x0d;

/** One event larger than this is not a stream but a mistake. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;

/**
 * Cuts a byte stream at the ends of its server-sent events, without decoding it: packets end anywhere, also inside
 * a UTF-8 character or between `\r` and `\n`, so what is relayed and scanned are only whole events.
 *
 * Source: WHATWG HTML, "Server-sent events" (an event ends at a blank line; lines end with LF, CRLF or a lone CR). A
 * stream with lone CRs is the one whose bytes change: its lines end with LF from here on, which means the same.
 */
export class EventBlocks {
  #rest: Buffer[] = [];
  #restBytes = 0;
  #hasLoneCrs = false;
  #endedWithCr = false;

  /** The whole events up to now, if this chunk completed any. */
  push(chunk: Buffer): Buffer | undefined {
    const events = this.#cut(this.#hasLoneCrs ? this.#withLineFeeds(chunk) : chunk);
    // Looked for only where nothing was found: nearly every packet holds a whole event.
    if (events || this.#hasLoneCrs || !(endsLineWithCr(chunk) || this.#isBehindCr(chunk))) return events;
    this.#hasLoneCrs = true;
    return this.#cut(this.#withLineFeeds(this.takeRest()));
  }

  #cut(chunk: Buffer): Buffer | undefined {
    if (this.#restBytes === 0) {
      const end = endOfLastEvent(chunk);
      if (end === chunk.length) return chunk;
      this.#keep(chunk.subarray(end));
      return end === 0 ? undefined : chunk.subarray(0, end);
    }
    this.#keep(chunk);
    // The blank line may lie across the seam, so a little of what was there is looked at again.
    const seam = this.#lastBytes(chunk);
    const end = endOfLastEvent(seam);
    if (end === 0) return undefined;
    const all = this.takeRest();
    const cut = all.length - (seam.length - end);
    this.#keep(all.subarray(cut));
    return all.subarray(0, cut);
  }

  /** What came after the last whole event; afterwards there is nothing left. */
  takeRest(): Buffer {
    const rest = this.#rest.length === 1 && this.#rest[0] ? this.#rest[0] : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    return rest;
  }

  /** Whether the CR that the packet before it ended with was one by itself. Both are kept, for they ended no event. */
  #isBehindCr(chunk: Buffer): boolean {
    const before = this.#rest.at(-2);
    return before !== undefined && before.at(-1) === CR && chunk.at(0) !== LF && this.#rest.at(-1) === chunk;
  }

  #withLineFeeds(chunk: Buffer): Buffer {
    const text = chunk.toString('latin1');
    const isSeam = this.#endedWithCr && text.startsWith('\n');
    if (text !== '') this.#endedWithCr = text.endsWith('\r');
    return Buffer.from((isSeam ? text.slice(1) : text).replace(/\r\n?/g, '\n'), 'latin1');
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
    if (this.#restBytes > MAX_EVENT_BYTES) {
      throw new GatewayError(
        'upstream_unavailable',
        `The provider sent an event of more than ${MAX_EVENT_BYTES} bytes.`,
      );
    }
  }

  /** The newest chunk with up to three bytes of what stands before it. */
  #lastBytes(chunk: Buffer): Buffer {
    const before: number[] = [];
    for (let index = this.#rest.length - 2; index >= 0 && before.length < 3; index--) {
      const bytes = this.#rest[index] ?? Buffer.alloc(0);
      for (let at = bytes.length - 1; at >= 0 && before.length < 3; at--) before.unshift(bytes[at] ?? 0);
    }
    return Buffer.concat([Buffer.from(before), chunk]);
  }
}

/** Whether a CR ends a line by itself. Of one that is the last byte nobody knows yet. */
function endsLineWithCr(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(CR); at !== -1 && at + 1 < bytes.length; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] !== LF) return true;
  }
  return false;
}

/** Just behind the last blank line; 0 where there is none. */
function endOfLastEvent(bytes: Buffer): number {
  const { length } = bytes;
  // Nearly all packets end with an event.
  if (bytes[length - 1] === LF && bytes[length - 2] === LF) return length;
  let at = bytes.lastIndexOf(LF);
  while (at > 0) {
    const before = bytes[at - 1];
    if (before === LF || (before === CR && bytes[at - 2] === LF)) return at + 1;
    at = bytes.lastIndexOf(LF, at - 1);
  }
  return 0;
}
