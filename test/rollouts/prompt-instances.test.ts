import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const USERS = Array.from({ length: 20 }, (_, user) => `u${user}`);

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await holds()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

/** Which version each user is answered by. */
function split({ post }: TestGateway): Promise<(string | null)[]> {
  return Promise.all(
    USERS.map(async (user) => {
      const headers = { 'x-fairlead-session': user };
      const answer = await post('/v1/prompts/hello', {}, { headers });
      assert.equal(answer.status, 200, await answer.text());
      return answer.headers.get('x-fairlead-prompt');
    }),
  );
}

onEachDatabase((database) => {
  test('instances share the rollout of a prompt: one split, over a restart, and one way back', async (context) => {
    const upstream = await startRawUpstream((response) => {
      response.setHeader('content-type', 'application/json');
      response.end(chatAnswer('Hi'));
    });
    context.after(upstream.close);
    const directory = makeTempDirectory(context);
    const config = {
      ...{ store: await database.makeUrl(context), prompts: { directory, publish: 'manual' } },
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
      rollouts: {
        better: { prompt: 'hello', stable: 1, candidate: 2, steps: [{ weight: 50, hold: '10m' }] },
      },
    };
    const start = async () => {
      const gateway = await startGateway(config);
      context.after(gateway.stop);
      return gateway;
    };
    const write = (text: string) =>
      writeFile(join(directory, 'hello.prompt'), `---\nmodel: up/m\n---\n${text}\n`);
    await write('Say it.');
    const one = await start();
    const admin = adminClient(one.url);
    await admin.must('POST', '/prompts/hello/publish', {});
    const two = await start();
    await write('Say it better.');
    const publish = () => admin.ask('POST', '/prompts/hello/publish', { version: '2', label: 'staging' });
    await until('there is a second version', async () => (await publish()).status === 200);

    await admin.must('POST', '/rollouts/better/start');
    const first = await split(one);
    assert.deepEqual(new Set(first), new Set(['hello@1', 'hello@2']));
    const isSame = async (gateway: TestGateway) => (await split(gateway)).join() === first.join();
    await until('the other instance hears of it', () => isSame(two));
    await one.stop();
    const again = await start();
    assert.ok(await isSame(again), 'a restart moves nobody');

    await adminClient(again.url).must('POST', '/rollouts/better/promote');
    const areAll = async (gateway: TestGateway, version: string) =>
      (await split(gateway)).every((one) => one === version);
    assert.ok(await areAll(again, 'hello@2'));
    await until('all have the candidate', () => areAll(two, 'hello@2'));
    await adminClient(two.url).must('POST', '/rollouts/better/rollback');
    assert.ok(await areAll(two, 'hello@1'), 'the way back is there on the next call');
    await until('all have the stable', () => areAll(again, 'hello@1'));
  });
});
