import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const KEYS = { ann: 'sk-fl-admin-key-of-ann-0000000000', bob: 'sk-fl-admin-key-of-bob-0000000000' };
const NAMES = ['guarded', 'free'];
const steps = [{ weight: 100, hold: '10m' }];

const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
const write = (text: string) =>
  Promise.all(
    NAMES.map((name) =>
      writeFile(join(folder, `${name}.prompt`), `---\nmodel: echo/echo\n---\n${text} {{text}}\n`),
    ),
  );
await write('old');
const gateway = await startGateway({
  adminKeys: {
    ann: { role: 'operator', secret: KEYS.ann },
    bob: { role: 'operator', secret: KEYS.bob },
  },
  prompts: { directory: folder, publish: 'manual' },
  rollouts: {
    guarded: { prompt: 'guarded', stable: 1, candidate: 2, approval: 'required', steps },
    free: { prompt: 'free', stable: 1, candidate: 2, steps },
  },
  tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
});
after(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});
const ann = adminClient(gateway.url, KEYS.ann);
const bob = adminClient(gateway.url, KEYS.bob);
for (const name of NAMES) await ann.must('POST', `/prompts/${name}/publish`, {});
await write('new');
for (const name of NAMES)
  await until(`the second version of ${name}`, async () => {
    const { status } = await ann.ask('POST', `/prompts/${name}/publish`, { version: 2, label: 'staging' });
    return status === 200;
  });

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 800; tries++) {
    if (await holds()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

async function versionOf(name: string): Promise<string | null> {
  const answer = await gateway.post(`/v1/prompts/${name}`, { text: 'x' });
  await answer.body?.cancel();
  return answer.headers.get('x-fairlead-prompt');
}

async function labelOf(admin: AdminClient, name: string): Promise<JsonObject | undefined> {
  const { body } = await admin.must('GET', `/prompts/${name}`);
  return (body['labels'] as JsonObject[]).find(({ label }) => label === 'production');
}

/** All that would move the label by hand is refused. */
async function assertGuarded(): Promise<void> {
  const moves: [string, string, JsonObject?][] = [
    ['POST', '/prompts/guarded/promote', { version: 2 }],
    ['POST', '/prompts/guarded/publish', { version: 2 }],
    ['POST', '/prompts/guarded/publish', { version: 2, label: 'production' }],
    ['DELETE', '/prompts/guarded/labels/production'],
  ];
  for (const [method, path, body] of moves) {
    const { status, body: answer } = await ann.ask(method, path, body);
    assert.deepEqual([status, answer.error?.code], [409, 'rollout_under_way'], path);
    assert.match(
      answer.error?.message ?? '',
      /'production' of 'guarded' is moved by the rollout 'guarded', which takes a second person/,
    );
  }
}

test('a label is moved by two people where its rollout wants that, and by hand by none meanwhile', async () => {
  // A draft decides about nothing.
  await ann.must('POST', '/prompts/guarded/promote', { version: 2 });
  await ann.must('POST', '/prompts/guarded/promote', { version: 1 });
  await ann.must('POST', '/rollouts/guarded/start');
  assert.equal(await versionOf('guarded'), 'guarded@1');
  await assertGuarded();
  assert.equal((await ann.ask('POST', '/rollouts/guarded/approve')).body.error?.code, 'own_request');
  await bob.must('POST', '/rollouts/guarded/approve');
  assert.equal(await versionOf('guarded'), 'guarded@2');
  await assertGuarded();
  // Other labels are nobody's.
  await ann.must('POST', '/prompts/guarded/promote', { version: 1, label: 'staging' });
  await bob.must('POST', '/rollouts/guarded/pause');
  await assertGuarded();
  await bob.must('POST', '/rollouts/guarded/promote');
  assert.equal((await labelOf(ann, 'guarded'))?.['version'], 1);
  await assertGuarded();
  await ann.must('POST', '/rollouts/guarded/approve');
  await until('the label points at it', async () => (await labelOf(ann, 'guarded'))?.['version'] === 2);
  assert.equal((await labelOf(ann, 'guarded'))?.['author'], 'rollout guarded');
  // What has ended guards nothing.
  await ann.must('POST', '/prompts/guarded/promote', { version: 1 });
  assert.equal(await versionOf('guarded'), 'guarded@1');
});

test('the way back takes nobody', async () => {
  await ann.must('POST', '/rollouts/guarded/start');
  await bob.must('POST', '/rollouts/guarded/approve');
  await ann.must('POST', '/rollouts/guarded/rollback');
  assert.equal(await versionOf('guarded'), 'guarded@1');
  await ann.must('POST', '/prompts/guarded/promote', { version: 2 });
});

test('without a second person a label that is moved by hand goes before its rollout', async () => {
  await ann.must('POST', '/rollouts/free/start');
  await ann.must('POST', '/prompts/free/promote', { version: 2 });
  assert.equal(await versionOf('free'), 'free@2');
});
