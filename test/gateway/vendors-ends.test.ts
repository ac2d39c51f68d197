import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** Answers with the end that its model is called by. */
const upstream = await startRawUpstream((response, body) => {
  const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
  if (stream) {
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${chatChunk('Hi')}${chatChunk('', model)}data: [DONE]\n\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer('Hi').replace('"stop"', `"${model}"`));
});
const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  models: Object.fromEntries(
    ['sensitive', 'model_context_window_exceeded', 'network_error', 'insufficient_system_resource'].map(
      (name) => [name, { targets: [`up/${name}`], retries: 0 }],
    ),
  ),
});
after(() => Promise.all([gateway.stop(), upstream.close()]));

async function ask(model: string, stream: boolean): Promise<{ status: number; text: string }> {
  const body = { model, stream, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
  const answer = await gateway.post('/v1/messages', body);
  return { status: answer.status, text: await answer.text() };
}

for (const [word, stopReason] of [
  ['sensitive', 'refusal'],
  ['model_context_window_exceeded', 'model_context_window_exceeded'],
] as const) {
  test(`an answer that ended with ${word} has not simply ended`, async () => {
    const whole = JSON.parse((await ask(word, false)).text) as JsonObject;
    assert.equal(whole['stop_reason'], stopReason);
    assert.match((await ask(word, true)).text, new RegExp(`"stop_reason":"${stopReason}"`));
  });
}

for (const word of ['network_error', 'insufficient_system_resource']) {
  test(`an answer that ended with ${word} is none`, async () => {
    assert.equal((await ask(word, false)).status, 502);
    assert.match((await ask(word, true)).text, /"type":"error"/);
  });
}

test('a limit on counting is none on generating', async (context) => {
  const anthropic = await startRawUpstream((response, _body, request) => {
    response.setHeader('content-type', 'application/json');
    if (request.url?.includes('count_tokens')) {
      response.writeHead(429, { 'retry-after': '45' });
      response.end('{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}');
      return;
    }
    response.end(
      JSON.stringify({
        ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_reason: 'end_turn' },
        content: [{ type: 'text', text: 'Hi' }],
        usage: { input_tokens: 1, output_tokens: 1 },
      }),
    );
  });
  const limited = await startGateway({
    providers: {
      anthropic: {
        baseUrl: new URL(anthropic.baseUrl).origin,
        accounts: [{ name: 'a', apiKey: 'sk-ant-0123456789' }],
      },
    },
  });
  context.after(() => Promise.all([limited.stop(), anthropic.close()]));
  const body = { model: 'anthropic/claude-sonnet-4-5', messages: [{ role: 'user', content: 'Hi' }] };
  assert.equal((await limited.post('/v1/messages/count_tokens', body)).status, 429);
  assert.equal((await limited.post('/v1/messages', { ...body, max_tokens: 9 })).status, 200);
});
