import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testFailover, testFeatures } from '../door-bodies.ts';
import { startWorld } from '../support.ts';
import { responsesDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const { client } = world;
const door = responsesDoor(client);

world.each('a broken stream ends with the failed response, numbered on', async ({ model }) => {
  const response = await fetch(`${world.baseUrl}/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, input: 'break mid-stream\nslow 1 ms per chunk\nlong 20' }),
  });
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) =>
      JSON.parse(data) as {
        type: string;
        sequence_number: number;
        response?: { id: string; status: string; error: { code: string } | null };
      },
  );
  const last = events.at(-1);
  assert.deepEqual([events.at(-2)?.type, last?.type], ['error', 'response.failed']);
  assert.deepEqual([last?.response?.status, last?.response?.error?.code], ['failed', 'server_error']);
  assert.equal(last?.response?.id, events[0]?.response?.id);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
});

testFailover(world, door);
testFeatures(world, door, ['cancel']);

test('the gateway’s own refusals raise typed errors', async () => {
  const input = 'Hi';
  await assert.rejects(client.responses.create({ model: 'nobody/x', input }), NotFoundError);
  await assert.rejects(client.responses.create({ model: 7 as never, input }), BadRequestError);
  const stranger = client.withOptions({ apiKey: 'sk-fl-nobody' });
  await assert.rejects(stranger.responses.create({ model: 'openai/gpt-4.1', input }), AuthenticationError);
  await assert.rejects(stranger.responses.retrieve('resp_1'), AuthenticationError);
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'responses'));
  const cancelled = records.filter(({ outcome }) => outcome === 'cancelled');
  assert.equal(cancelled.length, 3 * (2 * 2 + 1));
  for (const { status, usage } of cancelled) {
    assert.equal(status, 499);
    assert.ok(usage, 'what was asked is accounted');
  }
});

test('no key is in a log', () => {
  const secrets = [TEST_KEY, ...Object.values(world.fakes).map(({ apiKey }) => apiKey)];
  for (const secret of secrets) assert.equal(world.logs().includes(secret), false);
});
