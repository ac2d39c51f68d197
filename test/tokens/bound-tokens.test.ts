import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject } from '../../src/conversation/json.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { boundTokens } from '../../src/tokens/bound-tokens.ts';
import { TokenCounter } from '../../src/tokens/token-counter.ts';
import { readExchanges, skipWithoutWire } from '../support/wire.ts';

test('a bound grows with the bytes and is never nothing', () => {
  assert.ok(boundTokens(0) > 0);
  assert.ok(boundTokens(2_000) > boundTokens(1_000));
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
