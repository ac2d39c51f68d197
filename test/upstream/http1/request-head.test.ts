import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeRequestHead } from '../../../src/upstream/http1/request-head.ts';
import { anyWords } from '../../support/any-text.ts';
import { scale } from '../../support/scale.ts';

test('a head in full', () => {
  const headers = ['content-type', 'application/json', 'Authorization', 'Bearer x', 'x-empty', ''];
  assert.equal(
    writeRequestHead('POST', '/v1/x?y=1', 'api.test:8080', headers, 12),
    'POST /v1/x?y=1 HTTP/1.1\r\nhost: api.test:8080\r\nconnection: keep-alive\r\n' +
      'content-type: application/json\r\nAuthorization: Bearer x\r\nx-empty: \r\ncontent-length: 12\r\n\r\n',
  );
  assert.equal(
    writeRequestHead('GET', '/', 'a', [], undefined),
    'GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n',
  );
});

test('one header list goes to several hosts, to each under its own name', () => {
  const headers = ['a', 'b'];
  for (const host of ['one.test', 'two.test', 'one.test'])
    assert.match(writeRequestHead('POST', '/', host, headers, 0), new RegExp(`\r\nhost: ${host}\r\n`));
});

test('a host among the headers stands in for the address, wherever it goes, once', () => {
  const headers = ['a', 'b', 'Host', 'three.test'];
  for (const host of ['one.test', 'two.test']) {
    const head = writeRequestHead('POST', '/', host, headers, 0);
    assert.deepEqual(head.match(/^host: .*$/gim), ['Host: three.test']);
    assert.equal(head.split('\r\n')[1], 'Host: three.test');
  }
});

test('what frames a request is not for headers to say', () => {
  const names = [
    'connection',
    'Content-Length',
    'EXPECT',
    'keep-alive',
    'proxy-connection',
    'te',
    'Trailer',
    'Transfer-Encoding',
    'upgrade',
  ];
  for (const name of names) {
    assert.throws(() => writeRequestHead('POST', '/', 'a', ['x', 'y', name, '1'], 0), /cannot be sent/);
  }
});

const INJECTIONS = ['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'a\x1bb', '日本', 'a\u010ab', 'a\u010db'];

test('no name, value or path ends a line, or is what Latin-1 cannot say', () => {
  for (const bad of INJECTIONS) {
    assert.throws(() => writeRequestHead('POST', '/', 'a', ['x', bad], 0), /the header "x" cannot be sent/);
    assert.throws(() => writeRequestHead('POST', '/', 'a', [bad, 'x'], 0), /cannot be sent/);
    assert.throws(() => writeRequestHead('POST', `/${bad}`, 'a', [], 0), /a path/);
  }
  for (const bad of ['', 'a b', 'a:', ' a', 'a\t', '(a)', 'é'])
    assert.throws(() => writeRequestHead('POST', '/', 'a', [bad, 'x'], 0), /cannot be sent/);
  assert.throws(() => writeRequestHead('POST', '/a b', 'a', [], 0), /a path/);
});

test('a header that cannot be sent is told without its value', () => {
  const written = (): unknown => writeRequestHead('POST', '/', 'a', ['authorization', 'Bearer secret\n'], 0);
  assert.throws(written, (error: Error) => !error.message.includes('secret'));
  // Nor is it ever remembered as one that can.
  const headers = ['x', 'a\nb'];
  for (let time = 0; time < 2; time += 1)
    assert.throws(() => writeRequestHead('POST', '/', 'a', headers, 0), /cannot be sent/);
});

test('values and paths of Latin-1 go out as they came', () => {
  const head = writeRequestHead('GET', '/caf\xe9', 'a', ['x', 'caf\xe9\ttab'], undefined);
  assert.match(head, /^GET \/caf\xe9 /);
  assert.match(head, /\r\nx: caf\xe9\ttab\r\n/);
});

test('whatever is given, a head has the lines that it should, or there is none', () => {
  const anyText = anyWords({ maxLength: 8 });
  const list = fc.array(fc.tuple(anyText, anyText), { maxLength: 4 }).map((pairs) => pairs.flat());
  fc.assert(
    fc.property(anyText, list, (path, headers) => {
      let head: string;
      try {
        head = writeRequestHead('POST', `/${path}`, 'a', headers, 1);
      } catch {
        return;
      }
      assert.ok(head.endsWith('\r\n\r\n'));
      const own =
        headers.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length > 0 ? 0 : 1;
      assert.equal(head.split(/\r\n|\r|\n/).length, 1 + 2 + own + headers.length / 2 + 1 + 1);
    }),
    { numRuns: scale({ sample: 300, heavy: 2_000 }) },
  );
});
