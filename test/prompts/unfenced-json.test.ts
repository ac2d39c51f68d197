import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnfencedJson, unfenceJson } from '../../src/prompts/unfenced-json.ts';

const json = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 2))
  .map(([value, indent]) => JSON.stringify(value, null, indent));
const blanks = fc.stringMatching(/^[ \t\r\n]{0,4}$/);

/** JSON as models write it. */
const written = fc.oneof(
  fc
    .tuple(blanks, json, blanks)
    .map(([before, text, behind]) => ({ json: text, text: before + text + behind })),
  fc
    .tuple(
      blanks,
      fc.constantFrom('```json\n', '```\n', '``` json\r\n', '```JSON\n\n'),
      json,
      fc.constantFrom('\n```', '```', '\n```\n\n', ' \n``` '),
    )
    .map(([before, open, text, close]) => ({ json: text, text: before + open + text + close })),
);

test('the pieces of a stream are the JSON alone, however it is fenced and cut', () => {
  fc.assert(
    fc.property(written, fc.array(fc.nat({ max: 200 })), ({ json, text }, cuts) => {
      const places = [
        0,
        ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b),
        text.length,
      ];
      const stream = new UnfencedJson();
      const pieces = places.slice(1).map((end, index) => stream.push(text.slice(places[index], end)));
      assert.equal(pieces.join('') + stream.end(), json);
      assert.equal(unfenceJson(text), json);
    }),
  );
});

test('of what begins as no JSON does nothing comes out before its end', () => {
  for (const text of ['I cannot.', 'Here: {}', 'no', 'true', 'nul', '```json\nHere: {}\n```', '`a`']) {
    const stream = new UnfencedJson();
    const begun = [...text].map((letter) => stream.push(letter)).join('');
    assert.equal(begun, text === 'true' ? text : '', text);
    assert.equal(begun + stream.end(), unfenceJson(text));
  }
});

test('what is no JSON comes out as it is, without blanks around it', () => {
  for (const text of ['', 'I cannot.', '`a`', '``` is a fence', 'a ```\nb\n``` c'])
    assert.equal(unfenceJson(` ${text}\n`), text);
});
