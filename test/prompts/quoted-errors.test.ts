import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** What it answers: an error that quotes all that it was sent. */
let status = 400;
const upstream = await startRawUpstream((response, body) => {
  const quote = JSON.stringify({ error: { message: `cannot do this: ${body}`, code: 'bad' } });
  if (status === 200) {
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${chatChunk('Hi')}data: ${quote}\n\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.writeHead(status).end(quote);
});
after(upstream.close);
const directory = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
await writeFile(join(directory, 'hello.prompt'), '---\nmodel: up/m\n---\nThe secret recipe for {{name}}.\n');
const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  prompts: { directory },
  tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
});
after(async () => {
  await gateway.stop();
  await rm(directory, { recursive: true });
});

for (const format of ['output', 'chat', 'responses', 'messages']) {
  test(`a provider that quotes its request shows nobody a prompt: ${format}`, async () => {
    for (const [said, stream] of [
      [400, false],
      [400, true],
      [500, false],
      [200, true],
    ] as const) {
      status = said;
      const path = `/v1/prompts/hello?format=${format}&stream=${stream}`;
      const text = await (await gateway.post(path, { name: 'Ada' })).text();
      assert.doesNotMatch(text, /secret recipe/, `${said} ${stream}: ${text}`);
      assert.match(text, /error/);
    }
  });
}

test('nor as a model', async () => {
  status = 400;
  const body = { model: 'prompt/hello', messages: [{ role: 'user', content: 'Ada' }] };
  const answer = await gateway.post('/v1/chat/completions', body);
  const text = await answer.text();
  assert.doesNotMatch(text, /secret recipe/);
  assert.equal(answer.status, 400, text);
});
