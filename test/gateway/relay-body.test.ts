import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { isObject, tryParseJson } from '../../src/conversation/json.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(...[answer]: Parameters<typeof startRawUpstream>) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

const REQUEST = { model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] };

test('an error that came with status 200 is a failed call, not an answer', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"error":{"message":"Slow down","code":"rate_limit_exceeded"}}');
  });
  const response = await gateway.post('/v1/chat/completions', REQUEST);
  assert.equal(response.status, 429);
  assert.match(await response.text(), /Slow down/);
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_rate_limited');
});

test('an answer that quotes an error is an answer', async () => {
  const answer = chatAnswer('{"error":{"message":"Boom"}}');
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(answer);
  });
  const response = await gateway.post('/v1/chat/completions', REQUEST);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), answer);
});

test('a large answer that breaks off is accounted with an estimate', async () => {
  const gateway = await setUp((response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 20 * 1024 * 1024 });
    response.write('{"x":"'.padEnd(8 * 1024 * 1024, 'y'), () => response.destroy());
  });
  const response = await gateway.post('/v1/chat/completions', REQUEST);
  await assert.rejects(response.text());
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_unavailable');
  assert.equal(record?.usage?.estimated, true);
  assert.ok((record?.usage?.input ?? 0) > 0);
});

const BROKEN_RESPONSES = {
  'whole by its length, but no JSON':
    '{"id":"resp_2","object":"response","status":"completed","output":[{"id":"x"}',
  'with its output twice': '{"id":"resp_2","object":"response","status":"completed","output":[],"output":[]}',
};
for (const [what, answer] of Object.entries(BROKEN_RESPONSES)) {
  test(`a call of the Responses API ends whatever its answer is: ${what}`, async () => {
    const upstream = await startRawUpstream((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
      response.end(answer);
    });
    const accounts = [{ name: 'main', apiKey: 'sk-key-of-the-provider' }];
    const gateway = await startGateway({ providers: { openai: { baseUrl: upstream.baseUrl, accounts } } });
    closing.push(upstream.close, gateway.stop);
    const response = await gateway.post('/v1/responses', { model: 'openai/gpt-4.1', input: 'Hi' });
    const text = await response.text();
    const isAnswer = isObject(tryParseJson(answer));
    assert.equal(response.status, isAnswer ? 200 : 502);
    if (isAnswer) assert.equal(text, answer);
    const [record] = await gateway.calls();
    assert.equal(record?.outcome, isAnswer ? 'ok' : 'upstream_unavailable');
  });
}
