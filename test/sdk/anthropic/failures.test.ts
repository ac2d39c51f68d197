import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError, AuthenticationError, BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testFailover, testFeatures } from '../door-bodies.ts';
import { startWorld } from '../support.ts';
import { anthropicClient, anthropicDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const client = anthropicClient(world.url);
const door = anthropicDoor(client);

const ask = (model: string, content: string) => ({
  model,
  max_tokens: 1000,
  messages: [{ role: 'user' as const, content }],
});

world.each('a stream that lacks only its last event gets it', async ({ model, name }) => {
  let text = '';
  const read = async () => {
    const turns = [{ user: 'close without done\nlong 3' }];
    for await (const piece of door.stream({ model, turns })) text += piece;
  };
  // The last event of a Gemini stream is the one with the finish reason.
  if (name === 'gemini') await assert.rejects(read(), APIError);
  else await read();
  assert.equal(text, 'word1 word2 word3');
});

testFailover(world, door);
testFeatures(world, door, ['cancel']);

test('the gateway’s own refusals raise typed errors', async () => {
  const model = 'anthropic/claude-sonnet-4-5';
  await assert.rejects(client.messages.create(ask('nobody/x', 'Hi')), NotFoundError);
  await assert.rejects(client.messages.create({ ...ask(model, 'Hi'), model: 7 as never }), BadRequestError);
  const stranger = client.withOptions({ apiKey: 'sk-fl-nobody' });
  await assert.rejects(stranger.messages.create(ask(model, 'Hi')), (error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.equal(error.type, 'authentication_error');
    assert.match(error.requestID ?? '', /^req_/);
    return true;
  });
});

test('a bearer token is a key, too', async () => {
  const bearer = client.withOptions({ apiKey: null, authToken: TEST_KEY });
  const { content } = await bearer.messages.create(ask('anthropic/claude-sonnet-4-5', 'Hi'));
  assert.equal(content[0]?.type, 'text');
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'messages'));
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
