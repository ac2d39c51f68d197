import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readImageSize } from '../../src/tokens/image-size.ts';
import { type ImageRule, imageTokens } from '../../src/tokens/image-tokens.ts';
import { PIXEL_PNG } from '../support/pixel.ts';

const TILES: ImageRule = { kind: 'tiles', base: 85, perTile: 170 };
const PATCHES: ImageRule = { kind: 'patches', factor: 1 };
const PIXELS: ImageRule = { kind: 'pixels' };
const GEMINI: ImageRule = { kind: 'gemini' };

test("images cost what the examples of the vendors' pages say", () => {
  const cases: [
    rule: ImageRule,
    width: number,
    height: number,
    detail: string | undefined,
    tokens: number,
  ][] = [
    // OpenAI, "Images and vision".
    [TILES, 1024, 1024, 'high', 765],
    [TILES, 2048, 4096, 'high', 1105],
    [TILES, 4096, 8192, 'low', 85],
    [PATCHES, 1024, 1024, undefined, 1024],
    [PATCHES, 1800, 2400, undefined, 1452],
    // A recorded answer of gpt-4o: 360 pixels high, two tiles wide.
    [TILES, 540, 360, undefined, 425],
    // Anthropic, "Vision".
    [PIXELS, 200, 200, undefined, 54],
    [PIXELS, 1000, 1000, undefined, 1334],
    [PIXELS, 1092, 1092, undefined, 1590],
    // Gemini API, "Understand and count tokens".
    [GEMINI, 384, 384, undefined, 258],
    [GEMINI, 768, 768, undefined, 258],
    [GEMINI, 1536, 768, undefined, 516],
  ];
  for (const [rule, width, height, detail, tokens] of cases) {
    assert.equal(
      imageTokens(rule, { width, height }, detail),
      tokens,
      `${rule.kind} ${width} × ${height} ${detail}`,
    );
  }
});

test('no image costs more than one whose size is not known', () => {
  const sizes = [1, 32, 513, 2000, 5000, 60_000];
  for (const rule of [TILES, PATCHES, PIXELS, GEMINI]) {
    const most = imageTokens(rule, undefined, undefined);
    for (const width of sizes) {
      for (const height of sizes) {
        const tokens = imageTokens(rule, { width, height }, undefined);
        assert.ok(tokens > 0 && tokens <= most, `${rule.kind} ${width} × ${height}: ${tokens} of ${most}`);
      }
    }
  }
});

/** Heads of files, as far as a size is read. */
const webp = (kind: string, rest: string) =>
  `524946460000000057454250${Buffer.from(kind).toString('hex')}${rest}`;
const HEADS: [name: string, hex: string, width: number, height: number][] = [
  ['GIF', '4749463839614001f000', 320, 240],
  ['lossy WebP', webp('VP8 ', '000000000000009d012a4001f000'), 320, 240],
  ['lossless WebP', webp('VP8L', '000000002f3fc13b000000000000'), 320, 240],
  ['extended WebP', webp('VP8X', '0a000000000000003f0100ef0000'), 320, 240],
  ['JPEG', 'ffd8ffe000104a46494600010100000100010000ffc0001108 00f0 0140 03'.replaceAll(' ', ''), 320, 240],
  [
    'progressive JPEG behind a table',
    'ffd8ffffc400040000ffc20011 0800f0014003'.replaceAll(' ', ''),
    320,
    240,
  ],
];

test("an image's size is read from its first bytes", () => {
  assert.deepEqual(readImageSize(PIXEL_PNG), { width: 1, height: 1 });
  for (const [name, hex, width, height] of HEADS) {
    assert.deepEqual(readImageSize(Buffer.from(hex, 'hex').toString('base64')), { width, height }, name);
  }
});

test('an image that is cut off or none has no size', () => {
  for (const [, hex] of HEADS) {
    const whole = Buffer.from(hex, 'hex');
    for (let bytes = 0; bytes < 8; bytes++) {
      assert.equal(readImageSize(whole.subarray(0, bytes).toString('base64')), undefined);
    }
  }
  assert.equal(readImageSize(Buffer.from('ffd8ffe00000', 'hex').toString('base64')), undefined);
  assert.equal(readImageSize(''), undefined);
  assert.equal(readImageSize('!!!!'), undefined);
});
