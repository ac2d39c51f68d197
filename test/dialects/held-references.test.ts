import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';
import { mayNameHeld } from '../../src/dialects/held-bytes.ts';
import { findHeldReferences, findUnnamedReference } from '../../src/dialects/held-references.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';
import { SeenWords } from '../../src/dialects/seen-words.ts';
import { WordTable } from '../../src/dialects/word-table.ts';

const DIALECTS = ['chat', 'responses', 'messages', 'gemini'] as const;
const ID_FIELDS = {
  chat: 'file_id',
  responses: 'file_id',
  messages: 'file_id',
  gemini: 'fileUri',
} as const;

function wordsOf(body: Buffer): SeenWords {
  const words = new SeenWords();
  findTopLevelFields(body, new WordTable([]), words);
  return words;
}

/** Documents whose words are none of any dialect. */
const words = fc.stringMatching(/^[a-z]{1,6}x$/);
const documents = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(words, tie('any'), { maxKeys: 3 }),
  ),
})).any;

for (const dialect of DIALECTS) {
  test(`${dialect}: an id is found wherever it stands, and nothing where none stands`, () => {
    fc.assert(
      fc.property(fc.array(documents), fc.array(documents), (before, behind) => {
        const plain = { messages: [...before, ...behind] };
        const bytes = Buffer.from(JSON.stringify(plain));
        assert.equal(mayNameHeld(bytes, {}, wordsOf(bytes), dialect), false);
        assert.deepEqual(findHeldReferences(bytes, plain, dialect), []);
        const named = { messages: [...before, { inner: [{ [ID_FIELDS[dialect]]: 'files/1' }] }, ...behind] };
        const body = Buffer.from(JSON.stringify(named, null, 2));
        assert.equal(mayNameHeld(body, {}, wordsOf(body), dialect), true);
        const [found, ...others] = findHeldReferences(body, named, dialect);
        assert.equal(found?.id, 'files/1');
        assert.equal(found.path, `messages[${before.length}].inner[0].${ID_FIELDS[dialect]}`);
        assert.deepEqual(others, []);
      }),
      { numRuns: 100 },
    );
  });

  test(`${dialect}: no letter of the key can be escaped unseen`, () => {
    const key = ID_FIELDS[dialect];
    for (let at = 0; at < key.length; at++) {
      const escaped = `\\u00${key.charCodeAt(at).toString(16)}`;
      const text = `{"messages":[{"${key.slice(0, at)}${escaped}${key.slice(at + 1)}" : "files/1"}]}`;
      const body = Buffer.from(text);
      assert.equal(mayNameHeld(body, {}, wordsOf(body), dialect), true, text);
      const request: unknown = JSON.parse(text);
      assert.ok(isObject(request));
      assert.throws(() => findHeldReferences(body, request, dialect), { kind: 'invalid_request' }, text);
    }
  });
}

test('what the body made for a provider names beyond the request is found, whatever the two dialects are', () => {
  const file = (file_id: string) => ({ role: 'user', content: [{ type: 'document', source: { file_id } }] });
  const request = { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'own' } }] }] };
  const named = { request, dialect: 'chat' as const };
  assert.equal(findUnnamedReference({ messages: [file('own')] }, 'messages', named), undefined);
  assert.deepEqual(findUnnamedReference({ messages: [file('own'), file('other')] }, 'messages', named), {
    kind: 'file',
    id: 'other',
    path: 'messages[1].content[0].source.file_id',
  });
  const item = { type: 'reasoning', id: 'rs_1', summary: [] };
  assert.equal(findUnnamedReference({ input: [item] }, 'responses', named)?.id, 'rs_1');
  const whole = { ...item, encrypted_content: 'gAAA' };
  assert.equal(findUnnamedReference({ input: [whole] }, 'responses', named), undefined);
});
