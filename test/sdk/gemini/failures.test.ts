import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testFailover, testFeatures } from '../door-bodies.ts';
import { startWorld } from '../support.ts';
import { googleClient, googleDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const door = googleDoor(googleClient(world.url));

testFailover(world, door);
testFeatures(world, door, ['cancel']);

test('the gateway’s own refusals are in Google’s form', async () => {
  await assert.rejects(door.ask({ model: 'nobody/x', turns: [{ user: 'Hi' }] }, 'whole'), (error) => {
    const { status, word } = door.readFailure(error);
    assert.deepEqual([status, word], [404, 'NOT_FOUND']);
    return true;
  });
  const response = await fetch(`${world.url}/v1beta/models/echo/echo:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'sk-fl-nobody' },
    body: '{}',
  });
  const { error } = (await response.json()) as { error: { code: number; status: string } };
  assert.deepEqual([response.status, error.code, error.status], [401, 401, 'UNAUTHENTICATED']);
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'gemini'));
  const cancelled = records.filter(({ outcome }) => outcome === 'cancelled');
  assert.equal(cancelled.length, 3 * (2 * 2 + 1));
  for (const { status, usage } of cancelled) {
    assert.equal(status, 499);
    assert.ok(usage, 'what was asked is accounted');
  }
});

test('no key is in a log, nor in the URL of a provider', () => {
  const secrets = [TEST_KEY, ...Object.values(world.fakes).map(({ apiKey }) => apiKey)];
  for (const secret of secrets) {
    assert.equal(world.logs().includes(secret), false);
    for (const { path } of world.fakes.gemini.requests) assert.equal(path.includes(secret), false);
  }
});
