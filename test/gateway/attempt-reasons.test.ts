import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { failureReason } from '../../src/gateway/failure-reason.ts';
import { networkError } from '../../src/upstream/network-errors.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const ASK = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };

function refuse(status: number, body: string, type = 'application/json') {
  return (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  };
}

async function closedPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/v1`;
}

test('the record says of each attempt why it failed, when and how long it took', async (context) => {
  const answers: [what: string, answer: (response: ServerResponse) => unknown, reason: string | undefined][] =
    [
      [
        'limited',
        refuse(429, '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'),
        'rate_limit_exceeded',
      ],
      [
        'typed',
        refuse(500, '{"error":{"message":"oops","type":"server_error","code":null}}'),
        'server_error',
      ],
      ['wordy', refuse(503, '{"error":{"message":"x","code":"a sentence, not a code"}}'), 'status_503'],
      ['bare', refuse(502, '<html>bad gateway</html>', 'text/html'), 'status_502'],
      ['page', refuse(200, '<html>hello</html>', 'text/html'), 'broken_answer'],
      ['silent', () => undefined, 'first_byte_timeout'],
      ['resets', (response) => response.socket?.resetAndDestroy(), 'connection_reset'],
      ['good', refuse(200, chatAnswer('Hello')), undefined],
    ];
  const upstreams = await Promise.all(answers.map(([, answer]) => startRawUpstream(answer)));
  context.after(() => Promise.all(upstreams.map(({ close }) => close())));
  const baseUrls = [await closedPort(), ...upstreams.map(({ baseUrl }) => baseUrl)];
  const names = ['gone', ...answers.map(([what]) => what)];
  const providers = Object.fromEntries(
    names.map((name, at) => [
      name,
      {
        ...{
          adapter: 'openai-compatible',
          baseUrl: baseUrls[at],
          accounts: [{ name: 'main', apiKey: 'sk-x' }],
        },
        ...(name === 'silent' && { timeouts: { firstByte: '50ms' } }),
      },
    ]),
  );
  // No call makes as many attempts as there are failures here: each model has one, and the target that answers.
  const models = Object.fromEntries(names.map((name) => [name, { targets: [`${name}/x`, 'good/x'] }]));
  const gateway = await startGateway({ providers, models });
  context.after(() => gateway.stop());
  const failing = names.filter((name) => name !== 'good');
  for (const model of failing) {
    const response = await gateway.post('/v1/chat/completions', { ...ASK, model });
    assert.equal(response.status, 200, `${model}: ${await response.text()}`);
  }
  const records = await gateway.calls(failing.length);
  const told = Object.fromEntries(records.map(({ model, attempts }) => [model, attempts[0]?.reason]));
  const expected = Object.fromEntries(answers.map(([what, , reason]) => [what, reason]));
  const { good: _good, ...wanted } = expected;
  assert.deepEqual(told, { ...wanted, gone: 'connection_refused' });
  for (const { attempts } of records) {
    const [failed, answered] = attempts;
    assert.equal(attempts.length, 2);
    assert.ok(failed && answered && failed.outcome !== 'ok' && answered.outcome === 'ok');
    assert.equal(answered.reason, undefined);
    assert.ok(
      failed.startedAfterMs + failed.durationMs <= answered.startedAfterMs + 1,
      'one after the other',
    );
  }
});

test('a provider that is never done is told by its time-out, and one whose certificate is not trusted as that', () => {
  const expired = new GatewayError('upstream_timeout', '…', { reason: 'total_timeout' });
  assert.equal(failureReason(expired, 200), 'total_timeout');
  const certificate = Object.assign(new Error('self-signed certificate'), {
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  assert.equal(failureReason(networkError('p', certificate), null), 'tls');
  assert.equal(failureReason(networkError('p', new Error('odd')), null), 'connection_failed');
});

test('what a client did wrong, or left, is no reason of a provider', () => {
  assert.equal(failureReason(new GatewayError('cancelled', '…'), 200), 'cancelled');
  assert.equal(failureReason(new GatewayError('internal', '…'), 200), 'internal');
});
