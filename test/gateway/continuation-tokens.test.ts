import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isObject } from '../../src/conversation/json.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

/**
 * Google's own fake has no model with long decodes. Whether a token is good at another project is not documented: here it is not.
 * Source: the official SDK (`Candidate.continuationToken`, `FinishReason.CONTINUATION`, `automaticContinuation`).
 */
function startAccount(name: string): Promise<RawUpstream> {
  return startRawUpstream((response, body, request) => {
    const sent = JSON.parse(body) as Record<string, unknown>;
    const token = sent['continuationToken'] ?? sent['continuation_token'];
    if (response.destroyed) return;
    if (failing.has(name)) return void response.writeHead(503).end();
    if (typeof token === 'string' && !Buffer.from(token, 'base64').toString().startsWith(`${name}:`)) {
      const error = { code: 400, message: 'Invalid continuation token.', status: 'INVALID_ARGUMENT' };
      return void response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error }));
    }
    turns++;
    const candidate = {
      content: { parts: [{ text: name }], role: 'model' },
      finishReason: 'CONTINUATION',
      index: 0,
      continuationToken: Buffer.from(`${name}:${turns}`).toString('base64'),
    };
    const answer = JSON.stringify({ candidates: [candidate], usageMetadata: { promptTokenCount: 1 } });
    const isStream = request.url?.includes(':stream') === true;
    response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
    response.end(isStream ? `data: ${answer}\r\n\r\n` : answer);
  });
}

let turns = 0;
const failing = new Set<string>();
const [one, two] = await Promise.all([startAccount('one'), startAccount('two')]);
const KEYS = { acme: TEST_KEY, other: 'sk-fl-key-of-another-tenant-0000000' };
type Who = keyof typeof KEYS;
const provider = (upstream: RawUpstream) => ({
  adapter: 'gemini',
  baseUrl: upstream.baseUrl.replace(/\/v1$/, ''),
  accounts: [{ name: 'main', apiKey: 'key-of-an-account-00000' }],
});
const tenant = (secret: string) => ({ models: ['long'], keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: { one: provider(one), two: provider(two) },
  models: { long: { targets: ['one/gemini-4-argon', 'two/gemini-4-argon'] } },
  tenants: { acme: tenant(KEYS.acme), other: tenant(KEYS.other) },
});
after(async () => {
  await gateway.stop();
  await Promise.all([one.close(), two.close()]);
});

const METHODS = {
  whole: 'generateContent',
  streamed: 'streamGenerateContent?alt=sse',
  'streamed in an array': 'streamGenerateContent',
} as const;
type How = keyof typeof METHODS;

async function ask(how: How, fields: Record<string, unknown> = {}, who: Who = 'acme') {
  const response = await fetch(`${gateway.url}/v1beta/models/long:${METHODS[how]}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': KEYS[who], 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }], ...fields }),
  });
  const text = await response.text();
  const token = /"continuationToken":\s*"([^"]+)"/.exec(text)?.[1] ?? '';
  return { status: response.status, token, text, target: response.headers.get('x-fairlead-target') };
}

describe('a token by which an answer goes on', () => {
  for (const how of Object.keys(METHODS) as How[]) {
    test(`goes to the account that gave it: ${how}`, async () => {
      failing.add('one');
      const before = await ask(how);
      failing.clear();
      assert.equal(before.target, 'two/gemini-4-argon');
      for (const field of ['continuationToken', 'continuation_token']) {
        const after = await ask(how, { [field]: before.token });
        assert.equal(after.status, 200, after.text);
        assert.equal(after.target, before.target);
      }
    });
  }

  test('of another tenant’s is refused as one that is nobody’s would be, and no provider is asked', async () => {
    const { token } = await ask('whole');
    const before = one.requests.length + two.requests.length;
    const refused = await ask('whole', { continuationToken: token }, 'other');
    assert.equal(refused.status, 403);
    const { error } = JSON.parse(refused.text) as { error: unknown };
    assert.ok(isObject(error) && error['status'] === 'PERMISSION_DENIED');
    assert.equal(one.requests.length + two.requests.length, before);
  });

  test('which the gateway never saw is the provider’s matter', async () => {
    const { status } = await ask('whole', {
      continuationToken: Buffer.from('one:direct').toString('base64'),
    });
    assert.ok(status === 200 || status === 400);
  });

  test('goes to another account where that one fails', async () => {
    const { token, target } = await ask('whole');
    const name = target?.split('/', 1)[0] ?? '';
    failing.add(name);
    const { status } = await ask('whole', { continuationToken: token });
    failing.clear();
    // Which knows nothing of it; but elsewhere it might.
    assert.equal(status, 400);
    assert.notEqual((one.requests.at(-1)?.body ?? '').includes(token), false);
    assert.notEqual((two.requests.at(-1)?.body ?? '').includes(token), false);
  });
});
