const LF = 0x0a;
const COLON = 0x3a;
const E = 0x65;
/** The first bytes of `event: ping` and of its data. */
const PING = [Buffer.from('event: ping'), Buffer.from('event:ping')];
const DATA = Buffer.from('data:');

/**
 * Whether bytes of an answer say no more than that the provider lives: white space (which servers send before a JSON answer that takes
 * long), and in a stream of events comments (`: OPENROUTER PROCESSING`) and pings (`event: ping`, Anthropic). Comments that are
 * cut by packets are taken for more than they are. Source: WHATWG HTML, "Server-sent events".
 */
export function isSignOfLife(bytes: Buffer, start = 0, end = bytes.length): boolean {
  let isPing = false;
  for (let at = start; at < end; ) {
    const byte = bytes[at] ?? 0;
    if (isSpace(byte)) {
      at += 1;
      continue;
    }
    const isLineOfPing = isPing && startsWith(bytes, at, end, DATA);
    isPing = byte === E && PING.some((name) => startsWith(bytes, at, end, name));
    if (byte !== COLON && !isPing && !isLineOfPing) return false;
    const lineEnd = bytes.indexOf(LF, at);
    at = lineEnd === -1 || lineEnd >= end ? end : lineEnd + 1;
  }
  return true;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function startsWith(bytes: Buffer, at: number, end: number, text: Buffer): boolean {
  return at + text.length <= end && bytes.compare(text, 0, text.length, at, at + text.length) === 0;
}
