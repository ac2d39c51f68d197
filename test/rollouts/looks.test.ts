import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { type ControllerOptions, RolloutController } from '../../src/rollouts/controller.ts';
import { RolloutBook, type RolloutSpec } from '../../src/rollouts/rollout-book.ts';
import { RolloutStore } from '../../src/rollouts/rollout-store.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import type { Store } from '../../src/store/store.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';
import { makeRecord } from '../support/usage-records.ts';

const SPEC: RolloutSpec = {
  ...{ name: 'upgrade', moves: { model: 'smart' }, cohort: {}, gates: {}, release: 'r', approval: 'none' },
  terms: 't',
  ...{ stable: { target: 'up/old' }, candidate: { target: 'up/new' } },
  plan: { steps: [{ weight: 50, holdMs: 600_000 }], onFail: 'rollback', minCalls: 50 },
};

interface Setup extends Pick<ControllerOptions, 'now' | 'onApproval'> {
  spec: RolloutSpec;
}

const ignore = (): void => undefined;

/** An instance that looks when the test says so, and counts how often it reads what is known of a candidate. */
function makeInstance(
  store: Store,
  { spec = SPEC, now = Date.now, onApproval = ignore }: Partial<Setup> = {},
) {
  const counted = { reads: 0 };
  const counting: KyselyPlugin = {
    transformQuery: ({ node }) => {
      const text = node.kind === 'SelectQueryNode' ? JSON.stringify(node) : '';
      const isWhole = text.includes('SelectAllNode') && text.includes('"rollouts"');
      if (isWhole || text.includes('"evidence"')) counted.reads += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const book = new RolloutBook();
  const tasks: (() => void)[] = [];
  const controller = new RolloutController({
    ...{ store: new RolloutStore({ db: store.db.withPlugin(counting) }), book },
    rollouts: () => [book.find(spec)],
    releasesOf: async ({ stable, candidate }) => ({
      ...{ stable: { number: 1, release: stable }, candidate: { number: 1, release: candidate } },
    }),
    ownPlacesOf: () => undefined,
    noteReleases: async () => undefined,
    ...{ onTransition: ignore, onEnd: ignore, onApproval, onShortOfCalls: ignore, onShortOfUsers: ignore },
    onFailure: (error) => assert.fail(`the store fails: ${error}`),
    now,
    schedule: (task) => {
      tasks.push(task);
      return () => undefined;
    },
  });
  const look = async () => {
    const before = tasks.length;
    tasks.pop()?.();
    while (tasks.length < before) await new Promise(setImmediate);
  };
  return { controller, counted, look, rollout: () => book.find(spec) };
}

onEachDatabase((database) => {
  test('what is known of a candidate is read where there is something to learn, not at every look', async (context) => {
    const store = await database.open(context);
    const [one, other] = [makeInstance(store), makeInstance(store)];
    await one.controller.start();
    await other.controller.start();
    await one.controller.command(one.rollout(), 'start', 'ann');
    one.counted.reads = 0;
    for (let looks = 0; looks < 5; looks += 1) for (const { look } of [one, other]) await look();
    assert.deepEqual([one.counted.reads, other.counted.reads], [0, 0]);
    const note = { name: 'upgrade', side: 'candidate', flags: [] } as const;
    await store.insertCalls([toCallRow(makeRecord({ startedAt: Date.now() + 1, rollout: note }))]);
    for (let looks = 0; looks < 3; looks += 1) for (const { look } of [one, other]) await look();
    assert.deepEqual([one.counted.reads, other.counted.reads], [1, 0]);
    for (const { controller, rollout } of [one, other]) {
      assert.equal(controller.find(rollout())?.candidates, 1);
      const { steps } = await controller.reportOf(rollout());
      assert.equal(steps[0]?.candidate.calls, 1);
      await controller.stop();
    }
  });

  test('a draft that two instances start is started once, and neither fails', async (context) => {
    const store = await database.open(context);
    for (const approval of ['none', 'start'] as const) {
      const spec: RolloutSpec = { ...SPEC, name: `of ${approval}`, approval };
      const [one, other] = [makeInstance(store, { spec }), makeInstance(store, { spec })];
      await one.controller.start();
      await other.controller.start();
      await one.controller.startDraft(one.rollout(), 'lifecycle');
      // It has not looked since.
      assert.equal(other.controller.find(other.rollout()), undefined);
      await other.controller.startDraft(other.rollout(), 'lifecycle');
      const phase = approval === 'none' ? 'canary' : 'draft';
      for (const { controller, rollout } of [one, other]) {
        assert.equal(controller.find(rollout())?.progress.phase, phase);
        await controller.stop();
      }
    }
  });

  test('instances that have a rollout otherwise do not ask for its promotion by turns', async (context) => {
    const store = await database.open(context);
    let [nowMs, asked] = [1_000_000, 0];
    const plan = { ...SPEC.plan, steps: [{ weight: 50, holdMs: 0 }], minCalls: 0 };
    const spec: RolloutSpec = { ...SPEC, plan, approval: 'promote' };
    const setup = { now: () => nowMs, onApproval: () => (asked += 1) };
    const one = makeInstance(store, { ...setup, spec });
    const behind = makeInstance(store, { ...setup, spec: { ...spec, terms: 'earlier' } });
    await one.controller.start();
    await behind.controller.start();
    await one.controller.command(one.rollout(), 'start', 'ann');
    const look = async () => {
      for (let looks = 0; looks < 3; looks += 1) for (const { look } of [one, behind]) await look();
    };
    await look();
    assert.equal(asked, 1);
    assert.equal(one.controller.find(one.rollout())?.approval?.terms, 't');
    // What was asked of it as it was is to be asked anew once that was seen to be so for a while.
    nowMs += 61_000;
    await one.controller.stop();
    for (let looks = 0; looks < 3; looks += 1) await behind.look();
    assert.equal(asked, 2);
    assert.equal(behind.controller.find(behind.rollout())?.approval?.terms, 'earlier');
    await behind.controller.stop();
  });

  test('a rollout of an earlier version has as many calls of its candidate as it had', async (context) => {
    const store = await database.open(context);
    const { db } = store;
    await makeEarlier(db, '0175_candidate_calls');
    const evidence = JSON.stringify({ candidates: 7, gates: {} });
    const row = { name: 'upgrade', release: 'r', phase: 'canary', step: 0, since: 1, held_ms: 0 };
    const more = { calls_before: 0, evidence, reason: null, origin: null, approval: null, version: 1 };
    await db
      .insertInto('rollouts')
      .values({ ...row, ...more } as never)
      .execute();
    await MIGRATIONS['0175_candidate_calls']?.up(db);
    const [read] = await new RolloutStore({ db }).readAll();
    assert.equal(read?.candidates, 7);
  });
});
