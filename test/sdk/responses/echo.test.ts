import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
import type { Response } from 'openai/resources/responses/responses';
import { startGateway, TEST_KEY } from '../../support/gateway.ts';
import { WAYS } from '../door-client.ts';
import { responsesDoor } from './client.ts';

const gateway = await startGateway();
after(() => gateway.stop());
const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const door = responsesDoor(client);

for (const way of WAYS) {
  test(`the built-in provider answers, ${way}`, async () => {
    const { answer } = await door.ask({ model: 'echo/echo', turns: [{ user: 'Hi all' }] }, way);
    assert.match(answer.text, /Hi all/);
    assert.equal(answer.finish, 'stop');
  });
}

for (const way of WAYS) {
  test(`a custom tool is called, and its output goes back, ${way}`, async () => {
    const params = {
      model: 'echo/echo',
      input: 'Note it.',
      tools: [{ type: 'custom' as const, name: 'note' }],
      tool_choice: { type: 'custom' as const, name: 'note' },
    };
    const first: Response =
      way === 'whole'
        ? await client.responses.create(params)
        : await client.responses.stream(params).finalResponse();
    const call = first.output.find((item) => item.type === 'custom_tool_call');
    assert.equal(call?.name, 'note');
    const { output_text: text } = await client.responses.create({
      model: 'echo/echo',
      previous_response_id: first.id,
      tools: params.tools,
      input: [{ type: 'custom_tool_call_output', call_id: call.call_id, output: 'noted' }],
    });
    assert.match(text, /noted/);
  });
}

test('a response is there to go on from as soon as it was given', async () => {
  const first = await client.responses.create({ model: 'echo/echo', input: 'One' });
  const { output_text: text, previous_response_id: previous } = await client.responses.create({
    model: 'echo/echo',
    input: 'Two',
    previous_response_id: first.id,
  });
  assert.match(text, /Two/);
  assert.equal(previous, first.id);
});
