import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const gateway = await startGateway();
after(() => gateway.stop());

test('what is asked about a kept response leaves a record that costs nothing', async () => {
  const made = await gateway.post('/v1/responses', { model: 'echo/echo', input: 'Hi' });
  const { id } = (await made.json()) as { id: string };
  await gateway.get(`/v1/responses/${id}`);
  await gateway.get(`/v1/responses/${id}/input_items`);
  const deleted = await fetch(`${gateway.url}/v1/responses/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  assert.equal(deleted.status, 200);
  const gone = await gateway.get(`/v1/responses/${id}`);
  assert.equal(gone.status, 404);

  const records = (await gateway.calls(5)).toReversed();
  assert.deepEqual(
    records.map(({ operation, outcome, status, target, costMicroUsd }) => [
      operation,
      outcome,
      status,
      target,
      operation === 'response' ? costMicroUsd : 'priced elsewhere',
    ]),
    [
      ['generate', 'ok', 200, 'echo/echo', 'priced elsewhere'],
      ['response', 'ok', 200, 'echo/echo', 0],
      ['response', 'ok', 200, 'echo/echo', 0],
      ['response', 'ok', 200, 'echo/echo', 0],
      ['response', 'not_found', 404, null, 0],
    ],
  );
  const last = records.at(-1);
  assert.equal(last?.id, gone.headers.get('x-request-id'));
  assert.deepEqual([last?.tenant, last?.key, last?.usage], ['acme', 'app', null]);
});
