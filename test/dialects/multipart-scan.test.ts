import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readBoundary } from '../../src/dialects/multipart/boundary.ts';
import { MultipartScan } from '../../src/dialects/multipart/scan.ts';

const BOUNDARY = 'limit-7';

function part(head: string, content: string): string {
  return `--${BOUNDARY}\r\n${head}\r\n\r\n${content}\r\n`;
}
const field = (name: string, content: string) =>
  part(`Content-Disposition: form-data; name="${name}"`, content);
const file = (content: string) =>
  part(
    'Content-Disposition: form-data; name="file"; filename="a; name=\\"model\\".wav"\r\nContent-Type: audio/wav',
    content,
  );
const END = `--${BOUNDARY}--\r\n`;

function scan(pieces: readonly Buffer[]) {
  const scanned = new MultipartScan(BOUNDARY, new Set(['model']));
  for (const piece of pieces) scanned.push(piece);
  scanned.end();
  return scanned.fields.get('model');
}

function scanOrRefuse(pieces: readonly Buffer[]) {
  try {
    return scan(pieces)?.value;
  } catch (error) {
    assert.match(String(error), /multipart/);
    return undefined;
  }
}

const FORM = Buffer.from(
  `${file('RIFF--\r\n-\r\n--limit\r\nxx')}${field('empty', '')}${field('model', 'größe/x')}${END}epilogue`,
);

test('the model is found where it stands, wherever the packets are cut', () => {
  const expected = scan([FORM]);
  assert.equal(expected?.value, 'größe/x');
  assert.equal(FORM.toString('utf8', expected?.start, expected?.end), 'größe/x');
  for (let cut = 0; cut <= FORM.length; cut++) {
    assert.deepEqual(scan([FORM.subarray(0, cut), FORM.subarray(cut)]), expected, `cut at ${cut}`);
  }
  assert.deepEqual(scan(Array.from(FORM, (byte) => Buffer.from([byte]))), expected);
});

test('any content, in any packets: the field is found or the form is refused, never another value', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('\r', '\n', '-', '--', 'limit-7', '\r\n--', 'x', 'name="model"'), {
        maxLength: 12,
      }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (content, sizes) => {
        const body = Buffer.from(`${file(content.join(''))}${field('model', 'right')}${END}`);
        const pieces: Buffer[] = [];
        for (let at = 0, turn = 0; at < body.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          pieces.push(body.subarray(at, at + size));
          at += size;
        }
        const text = content.join('');
        // The form ends within the file, for every reader: what follows is no part of it (RFC 2046, the epilogue).
        if (text.includes(`\r\n--${BOUNDARY}--`)) assert.equal(scanOrRefuse(pieces), undefined);
        else if (text.includes(`--${BOUNDARY}`)) assert.throws(() => scan(pieces), /multipart/);
        else assert.equal(scan(pieces)?.value, 'right');
      },
    ),
    { examples: [[['\r\n--', 'limit-7', '--'], [1]]] },
  );
});

const REFUSED: [what: string, body: string, message: RegExp][] = [
  ['nothing', '', /ends before its last boundary/],
  ['no form', '{"model":"x"}', /ends before its last boundary/],
  ['a form that is cut off', field('model', 'x'), /ends before its last boundary/],
  ['a model twice', field('model', 'x') + field('model', 'y') + END, /'model' stands twice/],
  [
    'a model as a file',
    part('Content-Disposition: form-data; name="model"; filename="m"', 'x') + END,
    /plain field/,
  ],
  [
    'a model in base64',
    part('Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64', 'eA==') + END,
    /plain field/,
  ],
  ['a model of 2000 characters', field('model', 'x'.repeat(2000)) + END, /longer than/],
  ['a boundary within a part', file(`a\n--${BOUNDARY}\n`) + field('model', 'x') + END, /within a part/],
  ['a boundary where the content begins', file(`--${BOUNDARY}\r\n`) + END, /within a part/],
  ['a boundary that goes on', file(`a\r\n--${BOUNDARY}0`) + END, /within a part/],
  ['a name twice', part('Content-Disposition: form-data; name="a"; name="model"', 'x') + END, /not clear/],
  [
    'two dispositions',
    part('Content-Disposition: x; name="a"\r\nContent-Disposition: x; name="b"', 'x') + END,
    /two/,
  ],
  ['a head without an end', `--${BOUNDARY}\r\n${'a: b\r\n'.repeat(4000)}`, /too long/],
  [
    'a header with a bare line feed',
    part('a: b\nContent-Disposition: form-data; name="model"', 'x') + END,
    /header/,
  ],
  ['too many parts', field('a', 'x').repeat(300) + END, /more than/],
];
for (const [what, body, message] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(() => scan([Buffer.from(body)]), message);
    assert.throws(() => scan(Array.from(Buffer.from(body), (byte) => Buffer.from([byte]))), message);
  });
}

test('a boundary is read quoted or not, and must be there', () => {
  assert.equal(readBoundary('multipart/form-data; boundary=abc'), 'abc');
  assert.equal(readBoundary('multipart/form-data; charset=utf-8; Boundary="a b=c"'), 'a b=c');
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'x'.repeat(71)}`,
  ]) {
    assert.throws(() => readBoundary(type), /names no boundary/);
  }
});
