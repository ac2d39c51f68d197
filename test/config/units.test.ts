import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDate, parseDuration, parseSize } from '../../src/config/units.ts';

const DURATIONS: [string, number | undefined][] = [
  ['500ms', 500],
  ['30s', 30_000],
  ['10m', 600_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['1.5h', 5_400_000],
  ['0s', 0],
  ['30', undefined],
  ['-1s', undefined],
  ['1 s', undefined],
  ['1h30m', undefined],
  ['1w', undefined],
  ['', undefined],
  ['99999999999999999d', undefined],
];

const SIZES: [string, number | undefined][] = [
  ['512b', 512],
  ['16kb', 16_384],
  ['32mb', 33_554_432],
  ['32MB', 33_554_432],
  ['1gb', 1_073_741_824],
  ['0.5kb', 512],
  ['32', undefined],
  ['32m', undefined],
  ['32 mb', undefined],
];

const DATES: [string, number | undefined][] = [
  ['2027-01-01', Date.UTC(2027, 0, 1)],
  ['2028-02-29', Date.UTC(2028, 1, 29)],
  ['2027-01-01T12:30:00Z', Date.UTC(2027, 0, 1, 12, 30)],
  ['2027-01-01T12:30+02:00', Date.UTC(2027, 0, 1, 10, 30)],
  ['2027-02-30', undefined],
  ['2027-02-30T00:00:00Z', undefined],
  ['2027-13-01', undefined],
  ['2027-01-01T25:00Z', undefined],
  ['2027-01-01T12:30', undefined],
  ['1 January 2027', undefined],
];

for (const [text, expected] of DURATIONS) {
  test(`the duration "${text}" is ${expected ?? 'refused'}`, () =>
    assert.equal(parseDuration(text), expected));
}
for (const [text, expected] of SIZES) {
  test(`the size "${text}" is ${expected ?? 'refused'}`, () => assert.equal(parseSize(text), expected));
}
for (const [text, expected] of DATES) {
  test(`the date "${text}" is ${expected ?? 'refused'}`, () => assert.equal(parseDate(text), expected));
}
