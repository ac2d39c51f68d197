import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const upstream = await startRawUpstream((response, body) => {
  const { messages, stream } = JSON.parse(body) as { messages: { content: string }[]; stream?: boolean };
  const said = messages[0]?.content ?? '';
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (said === 'fail') response.writeHead(400).end('{"error":{"message":"no"}}');
  else if (stream) response.end(`${chatChunk(said)}${chatChunk('', 'stop')}data: [DONE]\n\n`);
  else response.end(chatAnswer(said));
});
const gateway = await startPrompts(
  {
    'text.prompt': '---\nmodel: up/m\n---\n{{said}}\n',
    'json.prompt': '---\nmodel: up/m\noutput: { format: json }\n---\n{{said}}\n',
  },
  {
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    tenants: {
      acme: {
        ...{ models: [], prompts: ['*'], capture: { mode: 'full', retention: '1d' } },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  },
);
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function captured(path: string, said: string): Promise<unknown> {
  const answer = await gateway.post(`/v1/prompts/${path}`, { said });
  await answer.text();
  const id = answer.headers.get('x-request-id');
  for (let looks = 0; looks < 200; looks += 1) {
    const { body } = await adminClient(gateway.url).ask('GET', `/calls/${id}`);
    const { capture } = body as { capture?: { response: unknown } };
    if (capture) return capture.response;
    await sleep(25);
  }
  return assert.fail('nothing was captured');
}

test('what is captured of an output is what the client got, text or JSON', async () => {
  for (const query of ['', '?stream=true']) {
    assert.equal(await captured(`text${query}`, '{"a":1}'), '{"a":1}', query);
    assert.equal(await captured(`text${query}`, '42'), '42', query);
    assert.deepEqual(await captured(`json${query}`, '{"a":1}'), { a: 1 }, query);
  }
});

test('an error is captured as an error', async () => {
  for (const query of ['', '?stream=true']) {
    const { error } = (await captured(`text${query}`, 'fail')) as { error: { message: string } };
    assert.equal(typeof error.message, 'string', query);
  }
});
