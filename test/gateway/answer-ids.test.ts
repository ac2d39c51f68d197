import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/* Clients tell by an id what it is of: an answer has one in the form of the door's own vendor, the same each time. */

const USAGE = { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 };

function candidate(responseId: string | undefined): object {
  const content = { role: 'model', parts: [{ text: 'Hi' }] };
  return { candidates: [{ index: 0, content, finishReason: 'STOP' }], usageMetadata: USAGE, responseId };
}

let responseId: string | undefined;
const upstream = await startRawUpstream((response, _body, request) => {
  const { url = '' } = request;
  if (url.includes('stream')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`data: ${JSON.stringify(candidate(responseId))}\n\n`);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(url.includes('chat') ? chatAnswer('Hi') : JSON.stringify(candidate(responseId)));
});
const origin = upstream.baseUrl.slice(0, -'/v1'.length);
const accounts = [{ name: 'main', apiKey: 'upstream-key' }];
const gateway = await startGateway({
  providers: {
    gemini: { baseUrl: origin, accounts },
    compat: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

const HI = [{ role: 'user', content: 'Hi' }];
const DOORS = {
  '/v1/messages': { max_tokens: 9, messages: HI },
  '/v1/chat/completions': { messages: HI },
  '/v1/completions': { prompt: 'Hi' },
};

async function ask(path: string, fields: object): Promise<string | undefined> {
  const answer = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  });
  assert.equal(answer.status, 200);
  return /"id":\s*"([^"]*)"/.exec(await answer.text())?.[1];
}

for (const [path, prefix] of [
  ['/v1/messages', 'msg_'],
  ['/v1/chat/completions', 'chatcmpl-'],
  ['/v1/completions', 'cmpl-'],
] as const) {
  for (const stream of [false, true]) {
    test(`${path}${stream ? ', streamed,' : ''} names an answer of Gemini’s \`${prefix}…\``, async () => {
      const body = { model: 'gemini/gemini-2.5-flash', stream, ...DOORS[path] };
      responseId = 'mNkEaf-jqI_1';
      assert.equal(await ask(path, body), `${prefix}mNkEaf-jqI_1`);
      responseId = undefined;
      assert.match((await ask(path, body)) ?? '', new RegExp(`^${prefix}[A-Za-z0-9_-]{8,}$`));
    });
  }
}

test('the id of another vendor’s answer keeps what tells it apart', async () => {
  const own = await ask('/v1/chat/completions', { model: 'compat/m', ...DOORS['/v1/chat/completions'] });
  const asMessage = await ask('/v1/messages', { model: 'compat/m', ...DOORS['/v1/messages'] });
  assert.equal(asMessage, `msg_${own?.replace('chatcmpl-', '')}`);
});
