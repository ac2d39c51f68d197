import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDataUrl, parseDataUrl, writeDataUrl } from '../../src/dialects/data-url.ts';

const PARSED: [url: string, mediaType: string, text: string][] = [
  ['data:image/png;base64,aGk=', 'image/png', 'hi'],
  ['DATA:text/plain;charset=utf-8;BASE64,aGk=', 'text/plain', 'hi'],
  ['data:text/plain,h%C3%AF,there', 'text/plain', 'hï,there'],
  ['data:,x', 'text/plain', 'x'],
];

for (const [url, mediaType, text] of PARSED) {
  test(`${url} holds '${text}' as ${mediaType}`, () => {
    const data = parseDataUrl(url);
    assert.equal(data?.mediaType, mediaType);
    assert.equal(Buffer.from(data?.base64 ?? '', 'base64').toString('utf8'), text);
  });
}

for (const url of ['https://example.com/a.png', 'data:image/png;base64', 'data:text/plain,%E0%A4%A', '']) {
  test(`'${url}' is no well-formed data URL`, () => {
    assert.equal(parseDataUrl(url), undefined);
  });
}

test('what is written is read again', () => {
  const data = { mediaType: 'application/pdf', base64: 'JVBERi0=' };
  assert.ok(isDataUrl(writeDataUrl(data)));
  assert.deepEqual(parseDataUrl(writeDataUrl(data)), data);
});
