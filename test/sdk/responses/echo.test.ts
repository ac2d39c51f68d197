import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
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
