import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { ENTRA, startTokenIssuer } from '../support/token-issuer.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const RESPONSE = '{"id":"resp_1","object":"response","status":"completed","output":[],"error":null}';
const REJECTED =
  '{"error":{"message":"Invalid token","type":"invalid_request_error","code":"invalid_api_key"}}';

type Answer = (response: ServerResponse) => unknown;

const say =
  (status: number, body: string): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body);
  };

/** A gateway with a response that its provider keeps, whose credential was then rejected; `upstream.answer` is for what follows. */
async function setUp(kind: 'apiKey' | 'entra') {
  const upstream = { answer: say(200, RESPONSE) };
  const server = await startRawUpstream((response) => upstream.answer(response));
  // Tokens that are asked for anew each time.
  const issuer = await startTokenIssuer(1);
  const accounts = [kind === 'entra' ? { name: 'main', entra: ENTRA } : { name: 'main', apiKey: 'sk-of-it' }];
  const provider =
    kind === 'entra'
      ? { adapter: 'azure-openai', baseUrl: server.baseUrl.slice(0, -'/v1'.length), accounts }
      : { adapter: 'openai', baseUrl: server.baseUrl, accounts };
  const gateway = await startGateway({ providers: { up: provider } }, issuer.fetch);
  closing.push(server.close, issuer.close, gateway.stop);
  const made = await gateway.post('/v1/responses', { model: 'up/gpt-4.1', input: 'Hi' });
  assert.equal(made.status, 200, await made.text());
  upstream.answer = say(401, REJECTED);
  // The first rejection of a token may have been the token's.
  for (let times = 0; times < 2; times++) await ask();
  const asked = server.requests.length;
  assert.match(await (await ask()).text(), /upstream_credentials_rejected/);
  assert.equal(server.requests.length, asked, 'a rejected credential is not sent again');
  const probe = () => adminClient(gateway.url).must('POST', '/providers/up/accounts/main/probe');
  function ask() {
    return gateway.get('/v1/responses/resp_1');
  }
  return { upstream, issuer, server, ask, probe };
}

test('a probe that could not be signed is not spent: the next question is it', async () => {
  const { upstream, issuer, ask, probe } = await setUp('entra');
  upstream.answer = say(200, RESPONSE);
  await probe();
  issuer.refusal = { status: 503, body: { error: 'temporarily_unavailable' } };
  const unsigned = await ask();
  assert.equal(unsigned.status, 502);
  assert.doesNotMatch(await unsigned.text(), /upstream_credentials_rejected/);
  issuer.refusal = undefined;
  const sent = await ask();
  assert.equal(sent.status, 200);
  assert.equal(await sent.text(), RESPONSE);
});

test('a probe whose connection broke is not spent either', async () => {
  const { upstream, ask, probe } = await setUp('apiKey');
  await probe();
  upstream.answer = (response) => response.destroy();
  const broken = await ask();
  assert.equal(broken.status, 502);
  assert.doesNotMatch(await broken.text(), /upstream_credentials_rejected/);
  upstream.answer = say(200, RESPONSE);
  assert.equal((await ask()).status, 200);
  // It was accepted: later questions go out as ever.
  assert.equal((await ask()).status, 200);
});
