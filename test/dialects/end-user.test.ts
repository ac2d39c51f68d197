import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from '../../src/dialects/chat/index.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

/** What Claude Code sends with every request, in its form. */
const CLAUDE_CODE_USER = JSON.stringify({
  device_id: '1a'.repeat(32),
  account_uuid: '',
  session_id: '1c1057ac-efdd-446e-95a0-3da243d69c8e',
});

function userAt(dialect: Dialect, user_id: string): unknown {
  const request = {
    model: 'm',
    max_tokens: 9,
    messages: [{ role: 'user', content: 'Hi' }],
    metadata: { user_id },
  };
  return dialect.encodeRequest(messages.decodeRequest(request, {}), 'gpt-5').body['user'];
}

for (const [name, dialect] of Object.entries({ chat, responses })) {
  test(`${name}: a name of a user that is too long for OpenAI becomes a hash, the same for the same user`, () => {
    const hash = userAt(dialect, CLAUDE_CODE_USER);
    assert.match(String(hash), /^[0-9a-f]{64}$/);
    assert.equal(userAt(dialect, CLAUDE_CODE_USER), hash);
    assert.notEqual(userAt(dialect, `${CLAUDE_CODE_USER} `), hash);
    assert.equal(userAt(dialect, 'u'.repeat(64)), 'u'.repeat(64));
  });
}

test('a client of the same dialect hears from the provider what is too long', () => {
  const user = 'u'.repeat(65);
  const request = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], user };
  assert.equal(chat.encodeRequest(chat.decodeRequest(request, {}), 'gpt-5').body['user'], user);
});
