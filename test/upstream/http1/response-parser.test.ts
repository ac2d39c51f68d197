import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionError } from '../../../src/upstream/http1/connection-error.ts';
import { ResponseParser } from '../../../src/upstream/http1/response-parser.ts';
import { type Answer, anyAnswer, writeAnswer } from '../../support/any-answer.ts';
import { scale } from '../../support/scale.ts';

interface Read {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** It was over before the other side closed. */
  complete: boolean;
  keepAlive: boolean;
}

/** What stands behind the bytes that were read: as dangerous as it can be. */
const STALE = Buffer.from(
  '\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'.repeat(4),
  'latin1',
);

/** Reads all answers of these bytes, cut as said, out of one buffer that is used again and again. */
function readAll(wire: Buffer, cuts: readonly number[]): Read[] {
  const answers: Read[] = [];
  let current: Read | undefined;
  const parser = new ResponseParser({
    onHead: (status, headers) => {
      current = { status, headers, body: '', complete: false, keepAlive: false };
      answers.push(current);
    },
    onBody: (bytes, start, end) => {
      assert.ok(current, 'no body without a head');
      assert.ok(end > start, 'no empty piece');
      current.body += bytes.toString('latin1', start, end);
    },
  });
  const buffer = Buffer.alloc(wire.length + STALE.length);
  const finish = () => {
    if (!parser.complete || !current) return;
    current.complete = true;
    current.keepAlive = parser.keepAlive;
    current = undefined;
    parser.reset();
  };
  let from = 0;
  for (const to of [...cuts, wire.length]) {
    wire.copy(buffer, 0, from, to);
    STALE.copy(buffer, to - from);
    const length = to - from;
    for (let at = 0; at < length; ) {
      const next = parser.step(buffer, at, length);
      assert.ok(next > at && next <= length, 'each step comes further, and never behind what was read');
      at = next;
      finish();
    }
    from = to;
  }
  if (current) {
    parser.close();
    assert.equal(parser.keepAlive, false);
  }
  return answers;
}

function everyByte(wire: Buffer): number[] {
  return Array.from({ length: wire.length }, (_, at) => at);
}

function cutsOf(fractions: readonly number[], wire: Buffer): number[] {
  return fractions.map((fraction) => Math.floor(fraction * wire.length)).sort((a, b) => a - b);
}

function expected(answer: Answer): Omit<Read, 'keepAlive'> {
  const { status, headers, body, framing } = answer;
  return { status, headers, body, complete: framing !== 'until-close' };
}

function observed({ keepAlive: _keepAlive, ...read }: Read): Omit<Read, 'keepAlive'> {
  return { ...read, headers: withoutFraming(read.headers) };
}

function withoutFraming(headers: Read['headers']): Read['headers'] {
  const { 'content-length': _length, 'transfer-encoding': _coding, ...rest } = headers;
  return rest;
}

const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 12 });

test('answers are read the same however their bytes are cut, one behind the other', () => {
  const kept = fc.array(
    anyAnswer.filter(({ framing }) => framing !== 'until-close'),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(kept, anyAnswer, fractions, (before, last, at) => {
      const answers = [...before, last];
      const wire = Buffer.concat(answers.map(writeAnswer));
      const wanted = answers.map(expected);
      for (const cuts of [[], cutsOf(at, wire), everyByte(wire)])
        assert.deepEqual(readAll(wire, cuts).map(observed), wanted);
    }),
    { numRuns: 400 },
  );
});

test('whatever is cut off or changed on the wire, the parser ends, with an answer or one of its errors', () => {
  const flips = fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(255)), {
    maxLength: 3,
  });
  const outcome = (wire: Buffer, cuts: number[]): string => {
    try {
      return JSON.stringify(readAll(wire, cuts));
    } catch (error) {
      if (error instanceof ConnectionError) return error.code;
      throw error;
    }
  };
  fc.assert(
    fc.property(anyAnswer, flips, fractions, (answer, changes, at) => {
      const wire = writeAnswer(answer);
      for (const [place, byte] of changes) wire[Math.floor(place * wire.length)] = byte;
      const whole = outcome(wire, []);
      assert.equal(outcome(wire, cutsOf(at, wire)), whole);
      assert.equal(outcome(wire, everyByte(wire)), whole);
    }),
    { numRuns: scale({ sample: 300, heavy: 1_000 }) },
  );
});

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;

const READ: [what: string, wire: string, body: string, keepAlive: boolean][] = [
  [
    'sizes in upper and lower case, with leading zeros',
    `${CHUNKED}000A\r\n0123456789\r\n0a\r\n0123456789\r\n00\r\n\r\n`,
    '01234567890123456789',
    true,
  ],
  ['extensions, also behind spaces', `${CHUNKED}1;a\r\nx\r\n1 ; b="c d"\r\ny\r\n0;e\r\n\r\n`, 'xy', true],
  ['trailers', `${CHUNKED}1\r\nx\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n`, 'x', true],
  ['a coding in upper case', `${OK}Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`, 'x', true],
  ['no length', `${OK}\r\nrest`, 'rest', false],
  ['a line that goes on', `${OK}content-length:\r\n 2\r\n\r\nxy`, 'xy', true],
  ['connection: close', `${OK}connection: close\r\ncontent-length: 1\r\n\r\nx`, 'x', false],
  ['close among other options', `${OK}connection: x, Close\r\ncontent-length: 1\r\n\r\nx`, 'x', false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx', 'x', false],
  [
    'HTTP/1.0 with keep-alive',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx',
    'x',
    true,
  ],
  [
    'chunks of HTTP/1.0, which does not know them',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    'x',
    false,
  ],
  ['a status line without a reason', 'HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx', 'x', true],
  ['a status line with an empty reason', 'HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\nx', 'x', true],
  [
    'interim answers',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}content-length: 1\r\n\r\nx`,
    'x',
    true,
  ],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
  [
    '204 with a length, whose body might follow',
    'HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n',
    '',
    false,
  ],
  ['204 with the length 0', 'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n', '', true],
  ['304 with a coding', 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', '', false],
];

for (const [what, wire, body, keepAlive] of READ) {
  test(`${what}: read, and the connection ${keepAlive ? 'is kept' : 'is not used again'}`, () => {
    const bytes = Buffer.from(wire, 'latin1');
    for (const cuts of [[], everyByte(bytes)]) {
      const [answer, ...more] = readAll(bytes, cuts);
      assert.deepEqual([answer?.body, answer?.keepAlive, more], [body, keepAlive, []]);
    }
  });
}

const LONG = 'x'.repeat(17_000);

const REFUSED: [what: string, wire: string, code: string][] = [
  [
    'both a coding and a length',
    `${OK}transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    'NOT_HTTP',
  ],
  ['two lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\nx`, 'NOT_HTTP'],
  ['the same length twice', `${OK}content-length: 1\r\ncontent-length: 1\r\n\r\nx`, 'NOT_HTTP'],
  ['two lengths in one line', `${OK}content-length: 1, 1\r\n\r\nx`, 'NOT_HTTP'],
  ['a length with a plus', `${OK}content-length: +1\r\n\r\nx`, 'NOT_HTTP'],
  ['a length with a minus', `${OK}content-length: -1\r\n\r\nx`, 'NOT_HTTP'],
  ['a length in hexadecimal', `${OK}content-length: 0x1\r\n\r\nx`, 'NOT_HTTP'],
  ['a length with a fraction', `${OK}content-length: 1.0\r\n\r\nx`, 'NOT_HTTP'],
  ['no length where one is named', `${OK}content-length:\r\n\r\nx`, 'NOT_HTTP'],
  ['a length that no number holds', `${OK}content-length: 99999999999999999999\r\n\r\nx`, 'NOT_HTTP'],
  ['a length that goes on in the next line', `${OK}content-length: 1\r\n 2\r\n\r\nx`, 'NOT_HTTP'],
  ['gzip as a transfer coding', `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 'NOT_HTTP'],
  [
    'chunked twice',
    `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    'NOT_HTTP',
  ],
  ['an unknown transfer coding', `${OK}transfer-encoding: identity\r\n\r\nx`, 'NOT_HTTP'],
  [
    'a coding that only looks like chunked',
    `${OK}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    'NOT_HTTP',
  ],
  ['bare LFs', 'HTTP/1.1 200 OK\ncontent-length: 1\n\nx', 'NOT_HTTP'],
  ['a bare LF in the status line', 'HTTP/1.1 200 OK\ncontent-length: 1\r\n\r\nx', 'NOT_HTTP'],
  ['a bare LF between headers', `${OK}a: b\ncontent-length: 1\r\n\r\nx`, 'NOT_HTTP'],
  ['a bare CR in a value', `${OK}a: b\rc: d\r\n\r\n`, 'NOT_HTTP'],
  ['a bare CR in the status line', 'HTTP/1.1 200 OK\rx: y\r\n\r\n', 'NOT_HTTP'],
  ['NUL in a value', `${OK}a: b\0\r\n\r\n`, 'NOT_HTTP'],
  ['NUL in a name', `${OK}a\0: b\r\n\r\n`, 'NOT_HTTP'],
  ['a control character in a value', `${OK}a: \x1b[2J\r\n\r\n`, 'NOT_HTTP'],
  ['NUL in a line that goes on', `${OK}a: b\r\n \0\r\n\r\n`, 'NOT_HTTP'],
  ['a space before the colon', `${OK}content-length : 1\r\n\r\nx`, 'NOT_HTTP'],
  ['a line without a colon', `${OK}content-length\r\n\r\nx`, 'NOT_HTTP'],
  ['a line without a name', `${OK}: 1\r\n\r\nx`, 'NOT_HTTP'],
  ['a first line that goes on', `${OK} a: b\r\n\r\nx`, 'NOT_HTTP'],
  ['a name beyond ASCII', `${OK}\xe9: 1\r\n\r\nx`, 'NOT_HTTP'],
  ['a chunk without its CR LF', `${CHUNKED}1\r\nxy\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a chunk that ends with a bare LF', `${CHUNKED}1\r\nx\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a size that ends with a bare LF', `${CHUNKED}1\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['an extension that ends with a bare LF', `${CHUNKED}1;a\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a bare CR in an extension', `${CHUNKED}1;a\rb\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a trailer that ends with a bare LF', `${CHUNKED}0\r\na: b\n\r\n`, 'NOT_HTTP'],
  ['no size', `${CHUNKED}\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['an extension without a size', `${CHUNKED};a\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a size with a sign', `${CHUNKED}+1\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a size with 0x', `${CHUNKED}0x1\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a space before a size', `${CHUNKED} 1\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['two sizes', `${CHUNKED}1 1\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['a size that no chunk has', `${CHUNKED}fffffffffffff\r\nx`, 'NOT_HTTP'],
  ['a size that overflows', `${CHUNKED}10000000000000001\r\nx\r\n0\r\n\r\n`, 'NOT_HTTP'],
  ['an endless size', `${CHUNKED}${'0'.repeat(17_000)}`, 'HEADERS_OVERFLOW'],
  ['endless spaces behind a size', `${CHUNKED}1${' '.repeat(17_000)}`, 'HEADERS_OVERFLOW'],
  ['an endless extension', `${CHUNKED}1;${LONG}`, 'HEADERS_OVERFLOW'],
  ['an endless trailer', `${CHUNKED}0\r\na: ${LONG}`, 'HEADERS_OVERFLOW'],
  ['endless trailers', `${CHUNKED}0\r\n${'a: b\r\n'.repeat(4_000)}`, 'HEADERS_OVERFLOW'],
  ['an endless head', `${OK}a: ${LONG}`, 'HEADERS_OVERFLOW'],
  ['a head that is too long, and ends', `${OK}a: ${LONG}\r\n\r\n`, 'HEADERS_OVERFLOW'],
  ['something before the status line', `x${OK}\r\n`, 'NOT_HTTP'],
  ['an empty line before the status line', `\r\n${OK}\r\n`, 'NOT_HTTP'],
  ['another protocol, not asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n', 'NOT_HTTP'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'NOT_HTTP'],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n', 'NOT_HTTP'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'NOT_HTTP'],
  ['HTTP/0.9', '<html>', 'NOT_HTTP'],
  ['a protocol in lower case', 'http/1.1 200 OK\r\n\r\n', 'NOT_HTTP'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'NOT_HTTP'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'NOT_HTTP'],
  ['a status that begins with 0', 'HTTP/1.1 020 OK\r\n\r\n', 'NOT_HTTP'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n', 'NOT_HTTP'],
  ['a body that is too short', `${OK}content-length: 2\r\n\r\nx`, 'CLOSED_EARLY'],
  ['chunks without the last', `${CHUNKED}1\r\nx\r\n`, 'CLOSED_EARLY'],
  ['a last chunk without its end', `${CHUNKED}1\r\nx\r\n0\r\n`, 'CLOSED_EARLY'],
];

/** Of a part of an answer, what was not there yet would decide. */
function outcomeOf(wire: Buffer, cuts: number[]): string {
  try {
    readAll(wire, cuts);
    return 'read';
  } catch (error) {
    return error instanceof ConnectionError ? error.code : String(error);
  }
}

for (const [what, wire, code] of REFUSED) {
  test(`${what}: refused, however it is cut`, () => {
    const bytes = Buffer.from(wire, 'latin1');
    assert.equal(outcomeOf(bytes, []), code);
    assert.equal(outcomeOf(bytes, everyByte(bytes)), code);
  });
}

test('nothing was said before the other side closed', () => {
  const parser = new ResponseParser({ onHead: () => assert.fail(), onBody: () => assert.fail() });
  assert.throws(() => parser.close(), { code: 'CLOSED_EARLY' });
});

test('an interim answer is none', () => {
  assert.equal(outcomeOf(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), []), 'read');
  const parser = new ResponseParser({ onHead: () => assert.fail(), onBody: () => assert.fail() });
  const bytes = Buffer.from('HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n');
  assert.equal(parser.step(bytes, 0, bytes.length), bytes.length);
  assert.equal(parser.started, false);
  assert.throws(() => parser.close(), { code: 'CLOSED_EARLY' });
});
