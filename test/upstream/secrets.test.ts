import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listSecrets, ManySecrets, redactSecrets } from '../../src/upstream/secrets.ts';

test('keys and header values are secrets; a credential also without its scheme; longer ones come first', () => {
  assert.deepEqual(listSecrets([undefined, 'sk-0123456789', ' Bearer abcdefghij ', 'sk-0123456789']), [
    'Bearer abcdefghij',
    'sk-0123456789',
    'abcdefghij',
  ]);
});

test('what is too short to be a secret is none', () => {
  assert.deepEqual(listSecrets(['', 'EMPTY', 'ollama', 'Bearer none', '1234567']), ['Bearer none']);
});

test('a text without secrets stays as it is, also one with broken characters', () => {
  assert.equal(redactSecrets('Grüße \ud800 $& \\u0041', ['sk-01234567']), 'Grüße \ud800 $& \\u0041');
  assert.equal(redactSecrets('anything', []), 'anything');
});

test('JSON around a secret stays JSON, also behind an escaped backslash', () => {
  const json = JSON.stringify({ message: 'C:\\sk-01234567\\n' });
  assert.deepEqual(JSON.parse(redactSecrets(json, ['sk-01234567'])), { message: 'C:\\[redacted]\\n' });
});

test('a backslash at the end of a secret is found in each of its forms', () => {
  for (const backslash of ['\\', '\\\\', '\\u005c', '\\u005C']) {
    assert.equal(redactSecrets(`"!!!!!!!!${backslash}"`, ['!!!!!!!!\\']), '"[redacted]"');
  }
});

/** What a header may hold. */
const anySecret = fc.stringMatching(/^[\x21-\x7e]{8,40}$/);

test('a secret is found in plain text, in JSON and in a URL, however its characters are escaped', () => {
  fc.assert(
    fc.property(anySecret, fc.infiniteStream(fc.nat(3)), (secret, ways) => {
      const escaped = [...secret].map((character) => {
        const code = character.charCodeAt(0).toString(16).padStart(4, '0');
        const [way] = ways.take(1);
        if (way === 0) return `\\u${code}`;
        if (way === 1) return `\\u${code.toUpperCase()}`;
        if (way === 2 && character === '/') return '\\/';
        return JSON.stringify(character).slice(1, -1);
      });
      const inUrl = encodeURIComponent(secret);
      for (const text of [
        secret,
        escaped.join(''),
        inUrl,
        inUrl.replace(/%../g, (code) => code.toLowerCase()),
        new URLSearchParams({ k: secret }).toString().slice(2),
      ]) {
        assert.equal(redactSecrets(`<${text}> and <${text}>`, [secret]), '<[redacted]> and <[redacted]>');
      }
    }),
  );
});

test('a secret of any letters is found in a URL', () => {
  for (const secret of ['schlüssel-größe', 'ключ-от-двери', '🗝️🗝️🗝️🗝️']) {
    assert.equal(redactSecrets(`?key=${encodeURIComponent(secret)}`, [secret]), '?key=[redacted]');
    assert.equal(redactSecrets(`key ${secret}`, [secret]), 'key [redacted]');
  }
});

test('of very many secrets each is found wherever it stands', () => {
  const secrets = Array.from(
    { length: 1_000 },
    (_, index) => `sk-acme-app-${String(index).padStart(10, '0')}`,
  );
  const many = new ManySecrets([...secrets, 'sk-acme-app-0000000007-longer', 'with a space', 'short']);
  const secret = secrets[7];
  const table = [
    [`?key=${secret}`, '?key=[redacted]'],
    [`authorization:${secret}`, 'authorization:[redacted]'],
    [`api_key=${secret}&x`, 'api_key=[redacted]&x'],
    [`The key ${secret}.`, 'The key [redacted].'],
    [`${secret}${secrets[8]}`, '[redacted][redacted]'],
    [`"${secret}-longer"`, '"[redacted]"'],
    [`${secret}-long`, '[redacted]-long'],
    ['it comes with a space', 'it comes [redacted]'],
    ['sk-acme-app-0000009999, short', 'sk-acme-app-0000009999, short'],
    ['', ''],
  ];
  for (const [text = '', redacted] of table) assert.equal(many.redact(text), redacted);
  assert.equal(new ManySecrets([]).redact(`key ${secret}`), `key ${secret}`);
});

test('whatever stands around secrets, none of them is left, and nothing else is lost', () => {
  const secrets = ['sk-0123456789', 'sk-01234567', 'bearer-of-all'];
  const many = new ManySecrets(secrets);
  const piece = fc.oneof(fc.constantFrom(...secrets), fc.string({ maxLength: 9 }));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      const redacted = many.redact(text);
      for (const secret of secrets) assert.ok(!redacted.includes(secret));
      if (!secrets.some((secret) => text.includes(secret))) assert.equal(redacted, text);
    }),
  );
});
