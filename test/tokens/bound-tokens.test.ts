import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject } from '../../src/conversation/json.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { boundTokens } from '../../src/tokens/bound-tokens.ts';
import { countText } from '../../src/tokens/encoders.ts';
import { TokenCounter } from '../../src/tokens/token-counter.ts';
import { anyWords } from '../support/any-text.ts';
import { readExchanges, skipWithoutWire } from '../support/wire.ts';

test('a bound grows with the bytes and is never nothing', () => {
  assert.ok(boundTokens(0) > 0);
  assert.ok(boundTokens(2_000) > boundTokens(1_000));
});

test('no text comes to more tokens than the bytes of its body', () => {
  for (const encoding of ['cl100k_base', 'o200k_base'] as const) {
    const isBound = (text: string) =>
      countText(encoding, text) <= boundTokens(Buffer.byteLength(text)) - boundTokens(0);
    fc.assert(fc.property(anyWords({ maxLength: 200 }), isBound));
    const dense = {
      digits: '3,1,4,1,5,9,',
      emoji: '🫨🪿🩻',
      letters: 'xqzjkvbw',
      rare: '\u{12000}\u{1F9FF}\u{A015}',
    };
    for (const [what, text] of Object.entries(dense)) assert.ok(isBound(text.repeat(1_000)), what);
  }
});

test('no recorded request counts more than its bound', { skip: skipWithoutWire }, async () => {
  const counter = new TokenCounter();
  let checked = 0;
  for (const { id, request } of readExchanges('openai-chat')) {
    if (!isObject(request.body)) continue;
    const model = String(request.body.model);
    const tokens = await counter.countConversation(DIALECTS.chat.decodeRequest(request.body, {}), model);
    // A reference says nothing of what lies behind it.
    if (/"url":"http|"file_id"/.test(JSON.stringify(request.body))) continue;
    assert.ok(tokens <= boundTokens(JSON.stringify(request.body).length), id);
    checked++;
  }
  assert.ok(checked > 50);
  await counter.stop();
});
