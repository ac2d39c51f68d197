import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { checkMessagesRequest } from './anthropic/rules.ts';
import { checkGenerateRequest } from './gemini/rules.ts';
import { checkChatRequest } from './openai/rules.ts';
import { Refusal } from './refusal.ts';
import { TRUSTING_SIGNER } from './signatures.ts';
import { type Exchange, readExchanges, skipWithoutWire } from './wire.ts';

/**
 * The fakes against recorded traffic: what the real API took, a fake's rules take, and what it refused they refuse with
 * the same message. Unknown models are no matter of the rules; the checks below leave them out.
 *
 * Recorded headers are reduced: without `anthropic-beta` the fields of a beta would be unknown, so all betas are on.
 * Signatures of the real API cannot be checked by anybody else, so they are trusted.
 */
const DIALECTS: {
  name: string;
  path: RegExp;
  check: (body: JsonValue | undefined, model: string) => unknown;
}[] = [
  { name: 'openai-chat', path: /\/chat\/completions/, check: (body) => checkChatRequest(body) },
  {
    name: 'anthropic-messages',
    path: /\/v1\/messages/,
    check: (body) =>
      checkMessagesRequest(body, { signer: TRUSTING_SIGNER, version: '2023-06-01', betas: 'all' }),
  },
  {
    name: 'gemini',
    path: /enerateContent/,
    check: (body, model) => checkGenerateRequest(body, { model, signer: TRUSTING_SIGNER }),
  },
  {
    name: 'vertex',
    path: /enerateContent/,
    check: (body, model) => checkGenerateRequest(body, { model, signer: TRUSTING_SIGNER, isVertex: true }),
  },
];

/** Recorded errors that no rule about the request can foresee. */
const NOT_ABOUT_THE_REQUEST: Record<string, RegExp> = {
  'the model does not exist: the routes say so, not the rules': /is not found for API version/,
  'the address could not be fetched': /Cannot fetch content from the provided URL/,
};

for (const { name, path, check } of DIALECTS) {
  const exchanges = readExchanges(name).filter(({ url }) => path.test(url));

  test(`the rules take every recorded ${name} request that was answered`, { skip: skipWithoutWire }, () => {
    const refused = exchanges
      .filter(({ response }) => response.status === 200)
      .flatMap((exchange) => {
        const message = refusalOf(exchange, check);
        return message === undefined ? [] : [`${exchange.id}: ${message}`];
      });
    assert.ok(exchanges.length > 0);
    assert.deepEqual(refused, []);
  });

  test(`the rules refuse every recorded ${name} request that was refused`, { skip: skipWithoutWire }, () => {
    const different = exchanges
      .filter(({ response }) => response.status !== 200)
      .filter(({ response }) => !isExcluded(messageOf(response.body)))
      .flatMap((exchange) => {
        const [expected, got] = [messageOf(exchange.response.body), refusalOf(exchange, check)];
        return got === expected ? [] : [{ id: exchange.id, expected, got }];
      });
    assert.deepEqual(different, []);
  });
}

test('the recorded traffic holds refusals to compare with', { skip: skipWithoutWire }, () => {
  const refused = readExchanges('openai-chat').filter(({ response }) => response.status === 400);
  assert.equal(refused.length, 7);
});

function refusalOf(
  exchange: Exchange,
  check: (body: JsonValue | undefined, model: string) => unknown,
): string | undefined {
  const { body } = exchange.request;
  const model = /models\/([^:/]+):/.exec(exchange.url)?.[1] ?? '';
  try {
    // One recording kept its body as text.
    check(typeof body === 'string' ? tryParseJson(body) : body, model);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

function messageOf(body: JsonValue): string {
  const error = isObject(body) && isObject(body['error']) ? body['error'] : {};
  return String(error['message']);
}

function isExcluded(message: string): boolean {
  return Object.values(NOT_ABOUT_THE_REQUEST).some((pattern) => pattern.test(message));
}
