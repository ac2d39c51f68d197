import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { EventBlocks } from '../../src/upstream/event-blocks.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';

/** Events as providers send them: LF or CRLF, comments, several data lines, characters of two to four bytes. */
const line = fc.constantFrom(
  'data: {"a":"é😀"}',
  'data:no-space',
  'event: ping',
  ': comment',
  'id: 1',
  'data: ',
);
const event = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 4 }), fc.constantFrom('\n', '\r\n'))
  .map(([lines, newline]) => lines.join(newline) + newline + newline);
const stream = fc.array(event, { maxLength: 8 }).map((events) => events.join(''));
const cuts = fc.array(fc.nat(), { maxLength: 20 });

const bytesOf = (text: string) => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));

function cut(bytes: Buffer, at: number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place));
    from = place;
  }
  return pieces;
}

test('however the bytes are cut, whole events come out, all of them, in order, byte for byte', () => {
  fc.assert(
    fc.property(stream, cuts, (text, at) => {
      const blocks = new EventBlocks();
      const out: Buffer[] = [];
      for (const piece of cut(Buffer.from(text), at)) {
        const events = blocks.push(piece);
        if (!events) continue;
        assert.match(events.toString('latin1'), /\n\r?\n$/);
        out.push(events);
      }
      assert.equal(Buffer.concat(out).toString(), text);
      assert.equal(blocks.takeRest().length, 0);
    }),
  );
});

test('every single byte on its own gives the same', () => {
  const text = 'data: é\r\n\r\ndata: 😀\n\n: c\n\ndata: last';
  const blocks = new EventBlocks();
  const out: string[] = [];
  for (const byte of Buffer.from(text)) {
    const events = blocks.push(Buffer.from([byte]));
    if (events) out.push(events.toString());
  }
  assert.deepEqual(out, ['data: é\r\n\r\n', 'data: 😀\n\n', ': c\n\n']);
  assert.equal(blocks.takeRest().toString(), 'data: last');
});

test('lines that end with a lone CR end with LF afterwards, however the bytes are cut', () => {
  const sent = 'event: a\rdata: é\r\rdata: 😀\r\r: c\r\r';
  fc.assert(
    fc.property(cuts, (at) => {
      const blocks = new EventBlocks();
      const out = cut(Buffer.from(sent), at).map((piece) => blocks.push(piece) ?? Buffer.alloc(0));
      assert.equal(
        Buffer.concat([...out, blocks.takeRest()])
          .toString()
          .trimEnd(),
        sent.replaceAll('\r', '\n').trimEnd(),
      );
    }),
  );
});

test('a lone CR at the end of each packet ends its line when the next packet begins', () => {
  for (const [pieces, told] of [
    [
      ['data: 1\r', '\r', 'data: 2\r', '\r'],
      ['data: 1\n\n', 'data: 2\n\n'],
    ],
    [
      ['event: a\r', 'data: é\r', '\r', 'data: 2\r\r'],
      ['event: a\ndata: é\n\n', 'data: 2\n\n'],
    ],
    [
      ['data: 1\n', '\ndata: 2\r', '\r'],
      ['data: 1\n\n', 'data: 2\n\n'],
    ],
  ] as const) {
    const blocks = new EventBlocks();
    const out = pieces.flatMap((piece) => blocks.push(Buffer.from(piece))?.toString() ?? []);
    assert.deepEqual(out, told);
    assert.equal(blocks.takeRest().length, 0);
  }
});

test('however its lines end, a stream is told event by event, as soon as each is whole, byte by byte too', () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const blocks = new EventBlocks();
    const sent = ['event: a\ndata: é\n\n', 'data: 😀\n\n', ': c\n\n'].map((text) =>
      text.replaceAll('\n', newline),
    );
    const changed = newline === '\r' ? '\n' : newline;
    for (const text of sent) {
      const out = bytesOf(text).flatMap((byte) => blocks.push(byte)?.toString() ?? []);
      assert.deepEqual(out, [text.replaceAll(newline, changed)]);
    }
    assert.equal(blocks.takeRest().length, 0);
  }
});

test('messages are read of a stream of any line ends, byte by byte', () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const reader = new EventReader();
    const text = 'event: a\ndata: é\n\ndata: 😀\n\n'.replaceAll('\n', newline);
    assert.deepEqual(
      [...bytesOf(text).flatMap((byte) => reader.push(byte)), ...reader.end()],
      [
        { event: 'a', data: 'é' },
        { event: undefined, data: '😀' },
      ],
    );
  }
});

test('an event without end is refused before it fills the memory', () => {
  const blocks = new EventBlocks();
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  assert.throws(() => {
    for (let count = 0; count < 40; count++) blocks.push(megabyte);
  }, /event of more than/);
});

test('messages are the same however the bytes are cut', () => {
  const read = (pieces: Buffer[]) => {
    const reader = new EventReader();
    return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  };
  fc.assert(
    fc.property(stream, cuts, (text, at) => {
      const bytes = Buffer.from(text);
      assert.deepEqual(read(cut(bytes, at)), read([bytes]));
    }),
  );
});

test('a last event that lacks its blank line still counts', () => {
  const reader = new EventReader();
  assert.deepEqual(reader.push(Buffer.from('data: one\n\ndata: two')), [{ event: undefined, data: 'one' }]);
  assert.deepEqual(reader.end(), [{ event: undefined, data: 'two' }]);
});

test('a message without end is refused before it fills the memory', () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  for (const newline of ['', '\n']) {
    const reader = new EventReader();
    const piece = Buffer.concat([Buffer.from('data: '), megabyte, Buffer.from(newline)]);
    assert.throws(
      () => {
        for (let count = 0; count < 40; count++) reader.push(piece);
      },
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  }
});
