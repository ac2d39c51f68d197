import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { startGatewayProcess } from '../support/gateway-process.ts';
import { scale } from '../support/scale.ts';

const KEY = 'sk-fl-app-key-of-acme-000000000000';
const OTHER = 'sk-fl-other-key-of-acme-0000000000';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const config = (limits: { key?: object; tenant?: object; models?: object; model?: object }) => ({
  server: { port: 0 },
  models: { m: { targets: ['echo/echo'], ...(limits.model && { limits: limits.model }) } },
  tenants: {
    acme: {
      models: ['*'],
      ...(limits.tenant && { limits: limits.tenant }),
      ...(limits.models && { modelLimits: limits.models }),
      keys: [
        { name: 'app', secret: KEY, ...(limits.key && { limits: limits.key }) },
        { name: 'other', secret: OTHER },
      ],
    },
  },
});

async function ask(url: string, key: string, model = 'm'): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 10, messages: [{ role: 'user', content: 'Hello there' }] }),
  });
  await response.arrayBuffer();
  return response.status;
}

test('a budget that was spent before a restart is spent after it, whoever it is on', async () => {
  const data = mkdtempSync(join(tmpdir(), 'fairlead-'));
  const first = await startGatewayProcess(config({}), data);
  assert.equal(await ask(first.url, KEY), 200);
  await first.stop();

  const spent = { budgets: [{ tokens: 1, per: 'total' }] };
  const cases: {
    limits: Parameters<typeof config>[0];
    refused: [string, string][];
    open: [string, string][];
  }[] = [
    { limits: { key: spent }, refused: [[KEY, 'm']], open: [[OTHER, 'm']] },
    {
      limits: { tenant: spent },
      refused: [
        [KEY, 'm'],
        [OTHER, 'echo/echo'],
      ],
      open: [],
    },
    { limits: { models: { 'm*': spent } }, refused: [[OTHER, 'm']], open: [[KEY, 'echo/echo']] },
    { limits: { model: spent }, refused: [[OTHER, 'm']], open: [[KEY, 'echo/echo']] },
  ];
  for (const { limits, refused, open } of cases.slice(0, scale({ sample: 1, heavy: cases.length }))) {
    const again = await startGatewayProcess(config(limits), data);
    for (const [key, model] of refused)
      assert.equal(await ask(again.url, key, model), 402, JSON.stringify(limits));
    await again.stop();
    if (open.length === 0) continue;
    // What is not spent is open; a budget of one token would let nothing through, so that they have none.
    const others = await startGatewayProcess(config(limits), data);
    for (const [key, model] of open)
      assert.equal(await ask(others.url, key, model), 200, JSON.stringify(limits));
    await others.stop();
  }
  const last = await startGatewayProcess(config({}), data);
  await last.close();
});
