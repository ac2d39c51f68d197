import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashSecret } from '../../src/tenants/keys.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';

const TENANTS = scale({ sample: 100, heavy: 10_000 });
const KEYS_EACH = 10;
/** Calls with every so manieth key. */
const STEP = scale({ sample: 7, heavy: 997 });

const secretOf = (tenant: number, key: number) => `sk-fl-of-tenant-${tenant}-and-key-${key}`;

test('a gateway starts with very many keys in its store, and serves a call of any of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-'));
  const config = { tenants: {} };
  try {
    const first = await startGateway(config, undefined, { folder });
    const tenants = Array.from({ length: TENANTS }, (_, tenant) => [
      `t${tenant}`,
      {
        models: ['echo/*'],
        limits: { requestsPerMinute: 600 },
        keys: Array.from({ length: KEYS_EACH }, (_, key) => ({
          name: `k${key}`,
          secretHash: hashSecret(secretOf(tenant, key)),
        })),
      },
    ]);
    await adminClient(first.url).must('PUT', '/config', { tenants: Object.fromEntries(tenants) });
    await first.stop();

    const second = await startGateway(config, undefined, { folder });
    const ask = async (secret: string) => {
      const answer = await second.post(
        '/v1/chat/completions',
        { model: 'echo/echo', messages: [{ role: 'user', content: 'Hi' }] },
        { headers: { authorization: `Bearer ${secret}` } },
      );
      await answer.text();
      return answer.status;
    };
    try {
      let calls = 0;
      for (let index = 0; index < TENANTS * KEYS_EACH; index += STEP, calls++) {
        const [tenant, key] = [Math.floor(index / KEYS_EACH), index % KEYS_EACH];
        assert.equal(await ask(secretOf(tenant, key)), 200, `key ${key} of tenant ${tenant}`);
      }
      assert.equal(await ask(secretOf(TENANTS, 0)), 401);
      const records = await second.calls(calls);
      const callers = new Set(records.map((record) => `${record.tenant}/${record.key}`));
      assert.equal(callers.size, calls);
      const last = adminClient(second.url);
      await last.must('DELETE', `/tenants/t${TENANTS - 1}/keys/k${KEYS_EACH - 1}`);
      assert.equal(await ask(secretOf(TENANTS - 1, KEYS_EACH - 1)), 401);
      assert.equal(await ask(secretOf(TENANTS - 1, 0)), 200);
    } finally {
      await second.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
