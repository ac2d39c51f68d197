import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startProvider } from '../support/scripted-provider.ts';

interface Refusal {
  says: string;
  adapter: 'groq' | 'gemini' | 'openai-compatible' | 'openai';
  status: number;
  body: object;
  /** What the client is told where there is no other place, and where there is. */
  alone: number;
  target: 'b/y' | null;
}

const failedTools = {
  ...{ type: 'external_connector_error', param: 'tools', code: 'http_error' },
  message: "Error retrieving tool list from MCP server: 'docs'. Http status code: 424 (Failed Dependency)",
};

const REFUSALS: Refusal[] = [
  {
    says: 'Groq has no capacity for its flex tier',
    adapter: 'groq',
    status: 498,
    body: { error: { message: 'Flex tier capacity exceeded', code: 'capacity_exceeded' } },
    ...{ alone: 429, target: 'b/y' },
  },
  {
    says: 'Gemini cancels what nobody left',
    adapter: 'gemini',
    status: 499,
    body: { error: { code: 499, message: 'The operation was cancelled.', status: 'CANCELLED' } },
    ...{ alone: 502, target: 'b/y' },
  },
  {
    says: 'Gemini gives up what got in the way of something else',
    adapter: 'gemini',
    status: 409,
    body: { error: { code: 409, message: 'The operation was aborted.', status: 'ABORTED' } },
    ...{ alone: 502, target: 'b/y' },
  },
  {
    says: 'a model failed behind an endpoint that is compatible',
    adapter: 'openai-compatible',
    status: 424,
    body: { error: { message: 'The request failed due to an error while processing the model.' } },
    ...{ alone: 502, target: 'b/y' },
  },
  {
    says: 'the caller’s own tool server failed',
    adapter: 'openai',
    status: 424,
    body: { error: failedTools },
    ...{ alone: 424, target: null },
  },
];

for (const { says, adapter, status, body, alone, target } of REFUSALS) {
  const where = target ? 'the call goes on elsewhere' : 'the call ends';
  test(`${status}: where ${says} ${where}`, async (context) => {
    const [a, b] = [await startProvider(context), await startProvider(context)];
    a.otherwise = (response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const gateway = await startGateway({
      providers: { a: { ...a.provider, adapter }, b: b.provider },
      models: { one: { targets: ['a/x'], retries: 0 }, two: { targets: ['a/x', 'b/y'] } },
    });
    context.after(() => gateway.stop());
    const call = async (model: string) => {
      const messages = [{ role: 'user', content: 'Hi' }];
      const response = await gateway.post('/v1/chat/completions', { model, messages });
      await response.text();
      return response;
    };
    const told = await call('two');
    assert.deepEqual(
      [told.status, told.headers.get('x-fairlead-target')],
      [target ? 200 : status, target ?? 'a/x'],
    );
    assert.equal((await call('one')).status, alone);
  });
}
