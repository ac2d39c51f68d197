import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { type GatewayProcess, spawnGateway } from '../support/gateway-process.ts';
import { nginxMissing, startNginx } from '../support/nginx.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { call, KeepAliveClients } from '../workers/keep-alive-clients.ts';

const LIMITED = 'sk-fl-key-of-limited-000000000000';
const BOUNDED = 'sk-fl-key-of-bounded-000000000000';
const SLOTS = 6;
const USERS = Array.from({ length: 30 }, (_, index) => `user-${index}`);

interface Instance extends GatewayProcess {
  port: number;
  /** Starts it again on its port with its data, as whoever supervises it does. */
  again(): Promise<Instance>;
}

function describeInstances(store: string, state: string, provider: FakeProvider): string {
  const tenant = (secret: string, limits?: object) => ({
    models: ['*'],
    ...(limits && { limits }),
    keys: [{ name: 'app', secret }],
  });
  return stringify({
    store,
    state,
    // A machine that is busy with other tests is not to look like a Redis that is away.
    stateTimeout: '10s',
    providers: {
      fake: { adapter: 'openai', baseUrl: provider.url, accounts: [{ name: 'a', apiKey: provider.apiKey }] },
    },
    models: { smart: { targets: ['fake/gpt-4.1'] } },
    tenants: {
      acme: tenant(TEST_KEY),
      limited: tenant(LIMITED, { requestsPerMinute: 100 }),
      bounded: tenant(BOUNDED, { concurrentCalls: SLOTS }),
    },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'fake/gpt-4.1', candidate: 'fake/gpt-5' },
        steps: [{ weight: 50, hold: '10m' }],
        gates: { p50LatencyRatio: 100 },
      },
    },
  });
}

async function startInstance(context: TestContext, env: Record<string, string>): Promise<Instance> {
  const gateway = spawnGateway(env, env['FAIRLEAD_DATA']);
  context.after(() => gateway.kill());
  const port = Number(new URL(await gateway.url).port);
  return { ...gateway, port, again: () => startInstance(context, { ...env, PORT: String(port) }) };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

async function recordsOf(url: string, tenant: string): Promise<UsageRecord[]> {
  const all: UsageRecord[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await adminClient(url).must('GET', `/calls?limit=1000&tenant=${tenant}${from}`);
    const page = body as unknown as { data: UsageRecord[]; nextCursor: string | null };
    all.push(...page.data);
    cursor = page.nextCursor;
  }
  return all;
}

const echo = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };

onEachDatabaseInTurn((database) => {
  test('three instances behind one nginx', { skip: redisMissing || nginxMissing }, async (context) => {
    const redis = await startRedis({ saves: false });
    context.after(() => redis.close());
    const provider = await startFakeOpenAi({ models: ['gpt-4.1', 'gpt-5'] });
    context.after(() => provider.close());
    const folder = makeTempDirectory(context);
    const file = join(folder, 'fairlead.yaml');
    writeFileSync(file, describeInstances(await database.makeUrl(context), redis.url, provider));
    const instances: Instance[] = [];
    for (let number = 0; number < 3; number++) {
      instances.push(
        await startInstance(context, {
          FAIRLEAD_CONFIG: file,
          FAIRLEAD_DATA: makeTempDirectory(context),
          FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
        }),
      );
    }
    const ports = instances.map(({ port }) => port);
    const url = await startNginx(context, ports);
    const admins = ports.map((port) => adminClient(`http://127.0.0.1:${port}`));

    await context.test(
      'let through together exactly what a limit allows, and record each call once',
      async () => {
        const agent = new Agent({ keepAlive: true, maxSockets: 60 });
        const answers = await Promise.all(Array.from({ length: 300 }, () => call(url, agent, echo, LIMITED)));
        agent.destroy();
        const servers = new Set(answers.map(({ headers }) => headers['x-served-by']));
        assert.deepEqual(servers, new Set(ports.map((port) => `127.0.0.1:${port}`)));
        const statuses = Object.groupBy(answers, ({ status }) => status);
        assert.deepEqual([statuses[200]?.length, statuses[429]?.length], [100, 200]);
        const answered = statuses[200]?.map(({ headers }) => String(headers['x-request-id'])) ?? [];
        let ids: string[] = [];
        await until('they are recorded', async () => {
          const records = await recordsOf(url, 'limited');
          ids = records.filter(({ outcome }) => outcome === 'ok').map(({ id }) => id);
          return ids.length >= 100;
        });
        assert.deepEqual(ids.toSorted(), answered.toSorted());
      },
    );

    await context.test(
      'have one configuration: what is changed through one of them holds at each',
      async (inner) => {
        const body = { targets: ['echo/changed'] };
        await adminClient(url).must('PUT', '/models/changed', body);
        const changedAt = performance.now();
        const targets = async () =>
          Promise.all(admins.map(async (admin) => (await admin.ask('GET', '/models/changed')).status));
        await until('each has it', async () => (await targets()).every((status) => status === 200));
        inner.diagnostic(`each had it ${Math.round(performance.now() - changedAt)} ms later`);
      },
    );

    await context.test('put a user on the same side of a rollout, whichever serves the call', async () => {
      await adminClient(url).must('POST', '/rollouts/upgrade/start');
      const ask = async (at: string, user: string) => {
        const agent = new Agent();
        const body = { model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] };
        const { status, headers, text } = await call(at, agent, body);
        assert.equal(status, 200, text);
        return { side: headers['x-fairlead-rollout'], server: headers['x-served-by'] };
      };
      for (const port of ports) {
        await until(
          'each has begun',
          async () => (await ask(`http://127.0.0.1:${port}`, 'x')).side !== undefined,
        );
      }
      const servers = new Set<unknown>();
      const sides = new Map<string, Set<unknown>>();
      for (let turn = 0; turn < 4; turn++) {
        for (const user of USERS) {
          const { side, server } = await ask(url, user);
          servers.add(server);
          sides.set(user, (sides.get(user) ?? new Set()).add(side));
        }
      }
      assert.equal(servers.size, 3);
      for (const [user, seen] of sides) assert.equal(seen.size, 1, `${user}: ${[...seen]}`);
      const taken = [...sides.values()].flatMap((seen) => [...seen]);
      assert.deepEqual(new Set(taken), new Set(['upgrade=stable', 'upgrade=candidate']));
    });

    await context.test(
      'one is killed: only what it had under way fails; no record is lost, and nothing stays reserved',
      async (inner) => {
        const [doomed] = instances;
        assert.ok(doomed);
        const agent = new Agent();
        const slow = (content: string) => ({
          ...{ model: 'fake/gpt-4.1', stream: true },
          messages: [{ role: 'user', content }],
        });
        const clients = new KeepAliveClients(url, 8);
        const held = Promise.allSettled(
          Array.from({ length: SLOTS }, () =>
            call(url, agent, slow('a\nlong 60\nslow 50 ms per chunk'), BOUNDED),
          ),
        );
        await clients.answered(60);
        await doomed.kill();
        const killedAtMs = performance.now();
        await clients.answered(60);
        const fresh = await Promise.all(
          Array.from({ length: 30 }, () => call(url, new Agent(), echo, TEST_KEY)),
        );
        await clients.end();
        assert.ok(fresh.every(({ status }) => status === 200));
        assert.ok(clients.failures.length <= 8, `${clients.failures.length} failed`);
        for (const { startedAtMs, failure } of clients.failures) {
          assert.ok(
            startedAtMs <= killedAtMs,
            `${failure}: began ${startedAtMs - killedAtMs} ms after the kill`,
          );
        }
        const isWhole = (text: string) => text.endsWith('data: [DONE]\n\n');
        const cutOff = (await held).filter(
          (one) => one.status === 'rejected' || !isWhole(one.value.text),
        ).length;
        assert.ok(cutOff > 0 && cutOff < SLOTS, `${cutOff} of ${SLOTS} were cut off`);

        instances[0] = await doomed.again();
        const answered = clients.outcomes.map(({ id }) => id).filter((id) => id !== undefined);
        let ids: string[] = [];
        await until('every answer has its record', async () => {
          ids = (await recordsOf(url, 'acme')).map(({ id }) => id);
          return new Set(answered).isSubsetOf(new Set(ids));
        });
        assert.equal(new Set(ids).size, ids.length, 'none has two');
        await until('what was cut off is recorded', async () => {
          const records = await recordsOf(url, 'bounded');
          return records.filter(({ outcome }) => outcome === 'interrupted').length === cutOff;
        });
        const again = await Promise.all(
          Array.from({ length: SLOTS }, () =>
            call(url, agent, slow('b\nlong 5\nslow 50 ms per chunk'), BOUNDED),
          ),
        );
        assert.deepEqual(
          again.map(({ status }) => status),
          again.map(() => 200),
        );
        inner.diagnostic(`${clients.failures.length} of ${clients.outcomes.length} calls failed`);
      },
    );
  });
});
