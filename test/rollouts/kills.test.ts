import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { spawnGateway } from '../support/gateway-process.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/*
 * A gateway is killed again and again while its rollout is under way: what is known of the candidate is what the calls say that are
 * recorded, each of them once, and the rollout stands where it stood.
 */

const KILLS = scale({ sample: 2, heavy: 25 });
const LOOPS = 4;

interface Standing {
  phase: string;
  step: number;
  candidateCalls: number;
}

onEachDatabaseInTurn((database) => {
  test(`${KILLS} kills lose no evidence, and count none twice`, async (context) => {
    const upstream = await startRawUpstream((response, body) => {
      const { model } = JSON.parse(body) as { model: string };
      response.setHeader('content-type', 'application/json');
      response.end(chatAnswer(`of ${model}`));
    });
    context.after(upstream.close);
    const folder = makeTempDirectory(context);
    const config = {
      ...{ store: await database.makeUrl(context), server: { port: 0 } },
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      models: { smart: { targets: ['up/old'] } },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
      rollouts: {
        upgrade: {
          ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
          steps: [
            { weight: 40, hold: '1ms' },
            { weight: 60, hold: '1h' },
          ],
          gates: { p50LatencyRatio: 100 },
        },
      },
    };
    writeFileSync(join(folder, 'fairlead.yaml'), stringify(config));
    const start = async () => {
      const env = { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_DATA: join(folder, 'data') };
      const gateway = spawnGateway({ ...env, FAIRLEAD_CONFIG: join(folder, 'fairlead.yaml') }, folder);
      context.after(() => gateway.stop());
      return { gateway, url: await gateway.url };
    };
    const standing = async (url: string) => {
      const { body } = await adminClient(url).must('GET', '/rollouts');
      return (body['data'] as unknown as Standing[])[0] as Standing;
    };
    const random = seeded(7);
    let users = 0;
    /** By user, of those that were answered. */
    const answered = new Map<string, string | null>();
    let step = 0;
    let { gateway, url } = await start();
    await adminClient(url).must('POST', '/rollouts/upgrade/start');

    for (let kill = 0; kill < KILLS; kill++) {
      let isDead = false;
      const loop = async () => {
        while (!isDead) {
          const user = `u${users++}`;
          const body = { model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] };
          try {
            const answer = await fetch(`${url}/v1/chat/completions`, {
              method: 'POST',
              headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
              body: JSON.stringify(body),
            });
            assert.equal(answer.status, 200);
            await answer.arrayBuffer();
            answered.set(user, answer.headers.get('x-fairlead-rollout'));
          } catch (error) {
            if (error instanceof assert.AssertionError) throw error;
            // It was cut off by the kill.
            isDead = true;
          }
        }
      };
      const loops = Array.from({ length: LOOPS }, loop);
      await sleep(300 + random() * 2_000);
      await gateway.kill();
      await Promise.all(loops);
      ({ gateway, url } = await start());
      const at = await standing(url);
      assert.ok(at.phase === 'canary' || at.phase === 'stepping', at.phase);
      assert.ok(at.step >= step, 'it went back a step');
      step = at.step;
    }

    const sides = [...answered.values()];
    assert.ok(!sides.includes(null), 'a call was on no side');
    const ofCandidate = (records: UsageRecord[]) =>
      records.filter(({ rollout }) => rollout?.side === 'candidate').length;
    let records: UsageRecord[] = [];
    let known = -1;
    for (let waited = 0; waited < 30_000 && known !== ofCandidate(records); waited += 250) {
      await sleep(250);
      records = await allCalls(url);
      known = (await standing(url)).candidateCalls;
    }
    assert.equal(known, ofCandidate(records), 'what is known is what is recorded');
    const met = sides.filter((side) => side === 'upgrade=candidate').length;
    // Of calls that were cut off nothing is known but that they were made; some had their record all the same.
    assert.ok(known >= met, `${met} were answered by the candidate, ${known} are known`);
    assert.ok(known <= met + KILLS * LOOPS, `${met} were answered by the candidate, ${known} are known`);
    assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
    context.diagnostic(`${answered.size} calls, ${known} of them the candidate's, over ${KILLS} kills`);
  });
});

async function allCalls(url: string): Promise<UsageRecord[]> {
  const records: UsageRecord[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { body } = await adminClient(url).must(
      'GET',
      `/calls?limit=1000${cursor ? `&cursor=${cursor}` : ''}`,
    );
    for (const record of body['data'] as unknown as UsageRecord[]) records.push(record);
    cursor = body['nextCursor'] as string | null;
  }
  return records;
}
