import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Action, RolloutRefusal } from '../../src/rollouts/act.ts';
import { RolloutController } from '../../src/rollouts/controller.ts';
import {
  COMMANDS,
  DRAFT,
  isWatched,
  type Plan,
  type Progress,
  weightOf,
} from '../../src/rollouts/progress.ts';
import { ReleaseStore } from '../../src/rollouts/release-store.ts';
import { RolloutBook, type RolloutSpec } from '../../src/rollouts/rollout-book.ts';
import { RolloutStore, type StoredRollout } from '../../src/rollouts/rollout-store.ts';
import type { Store } from '../../src/store/store.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { onEachDatabaseInTurn, type TestDatabase } from '../support/databases.ts';
import { scale } from '../support/scale.ts';
import { makeRecord } from '../support/usage-records.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

const RUNS = scale({ sample: 6, heavy: 150 });
const LOOK_MS = 500;

const PLAN: Plan = {
  steps: [
    { weight: 10, holdMs: 2_000 },
    { weight: 40, holdMs: 2_000 },
    { weight: 100, holdMs: 1_000 },
  ],
  onFail: 'rollback',
  minCalls: 2,
};

interface Told {
  from: Progress;
  to: StoredRollout;
}

/** Instances on one store that share a clock, each with what it knows by itself. */
class World {
  readonly store: Store;
  readonly database: TestDatabase;
  readonly spec: RolloutSpec;
  readonly told: Told[] = [];
  readonly requests: string[] = [];
  /** Since when the steps were under way of which it was told that they lack calls. */
  readonly short: number[] = [];
  /** What was told of those that wait because the candidate has too few users. */
  readonly shortOfUsers: string[] = [];
  /** Of the candidate, since it began last. */
  calls = 0;
  nowMs = 1_000_000;
  readonly #instances: Instance[] = [];

  constructor(store: Store, database: TestDatabase, spec: RolloutSpec) {
    this.store = store;
    this.database = database;
    this.spec = spec;
  }

  async restart(place: number): Promise<void> {
    await this.#instances[place]?.controller.stop();
    const instance = new Instance(this);
    this.#instances[place] = instance;
    await instance.controller.start();
  }

  at(place: number): Instance {
    const instance = this.#instances[place];
    assert.ok(instance);
    return instance;
  }

  /** All of them at the same time, one after another's clock. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      this.nowMs += LOOK_MS;
      await Promise.all(this.#instances.map(({ schedule }) => schedule.advance(LOOK_MS)));
      await Promise.all(this.#instances.map(({ controller }) => controller.findNamed(this.spec.name)));
    }
  }

  async readRow() {
    const [row] = await new RolloutStore(this.store).readAll();
    return row;
  }

  async stop(): Promise<void> {
    for (const { controller } of this.#instances) await controller.stop();
  }
}

class Instance {
  readonly controller: RolloutController;
  readonly book = new RolloutBook();
  readonly schedule: VirtualSchedule;

  constructor(world: World) {
    const releases = new ReleaseStore(world.store, () => world.nowMs);
    this.schedule = new VirtualSchedule(() => world.database.settle());
    this.controller = new RolloutController({
      store: new RolloutStore(world.store),
      book: this.book,
      rollouts: () => [this.book.find(world.spec)],
      releasesOf: async ({ stable, candidate }) => ({
        stable: { number: await releases.numberOf('smart', stable, 1), release: stable },
        candidate: { number: await releases.numberOf('smart', candidate, 1), release: candidate },
      }),
      ownPlacesOf: () => undefined,
      noteReleases: async () => undefined,
      onTransition: (_, from, to) => from && world.told.push({ from, to }),
      onEnd: () => undefined,
      onShortOfCalls: (_, { progress }) => world.short.push(progress.since),
      onShortOfUsers: (_, { progress }, { why }) => world.shortOfUsers.push(`${progress.step}: ${why}`),
      onApproval: (_, { what, request }) => world.requests.push(`${what} ${request.wants}`),
      onFailure: (error) => assert.fail(`the store fails: ${error}`),
      now: () => world.nowMs,
      schedule: this.schedule.schedule,
    });
  }

  async act(world: World, action: Action, by: string): Promise<void> {
    try {
      await this.controller.command(this.book.find(world.spec), action, by);
    } catch (error) {
      // That it leads nowhere from there is an answer.
      if (!(error instanceof RolloutRefusal)) throw error;
    }
  }
}

async function makeCalls(world: World, count: number, fails: boolean): Promise<void> {
  const before = await world.readRow();
  const rows = Array.from({ length: count }, (_, index) => {
    const side = index % 3 === 0 ? ('stable' as const) : ('candidate' as const);
    const flags = fails && side === 'candidate' ? (['failed'] as const) : [];
    return toCallRow(makeRecord({ startedAt: world.nowMs, rollout: { name: world.spec.name, side, flags } }));
  });
  await world.store.insertCalls(rows);
  if (before && isWatched(before.progress)) world.calls += count - Math.ceil(count / 3);
}

type Deed = (world: World) => Promise<void>;

const place = fc.integer({ min: 0, max: 1 });
const person = fc.constantFrom('ann', 'bob');
const action = fc.constantFrom<Action>(
  ...COMMANDS,
  'start',
  'start',
  'promote',
  'approve',
  'approve',
  'reject',
);

const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ place, action, person }).map(
    ({ place, action, person }): Deed =>
      async (world) => {
        await world.at(place).act(world, action, person);
      },
  ),
  fc.constant<Deed>(async (world) => {
    for (const action of ['rollback', 'reject'] as const) await world.at(0).act(world, action, 'bob');
    await Promise.all([world.at(0).act(world, 'start', 'ann'), world.at(1).act(world, 'start', 'bob')]);
  }),
  // Both at once.
  fc.tuple(action, person, action, person).map(
    ([one, ann, two, bob]): Deed =>
      async (world) => {
        await Promise.all([world.at(0).act(world, one, ann), world.at(1).act(world, two, bob)]);
      },
  ),
  fc.integer({ min: 1, max: 5 }).map(
    (looks): Deed =>
      (world) =>
        world.pass(looks * LOOK_MS),
  ),
  fc
    .record({ count: fc.integer({ min: 1, max: 12 }), fails: fc.constantFrom(false, false, false, true) })
    .map(
      ({ count, fails }): Deed =>
        (world) =>
          makeCalls(world, count, fails),
    ),
  place.map(
    (place): Deed =>
      (world) =>
        world.restart(place),
  ),
);

/** What was told is one chain, each transition once, whoever made it; and no user goes back but by a roll back. */
function checkChain(told: readonly Told[], plan: Plan): void {
  const ordered = told.toSorted((a, b) => a.to.version - b.to.version);
  assert.equal(new Set(ordered.map(({ to }) => to.version)).size, ordered.length, 'told twice');
  let before: Progress = DRAFT;
  for (const { from, to } of ordered) {
    assert.deepEqual(
      [from.phase, from.step],
      [before.phase, before.step],
      'a transition from where it was not',
    );
    const [was, is] = [weightOf(plan, from), weightOf(plan, to.progress)];
    assert.ok(is >= was || to.progress.phase === 'rolled_back', `${was} % became ${is} %`);
    before = to.progress;
  }
}

onEachDatabaseInTurn((database) => {
  test('two instances and two people: every transition is made and told once, every call is learned from once', async (context) => {
    const store = await database.open(context);
    let made = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('none' as const, 'start' as const, 'promote' as const, 'required' as const),
        fc.constantFrom('rollback' as const, 'pause' as const),
        fc.array(anyDeed, { minLength: 5, maxLength: 30 }),
        async (approval, onFail, deeds) => {
          made += 1;
          const name = `upgrade-${made}`;
          const plan = { ...PLAN, onFail };
          const world = new World(store, database, {
            ...{ name, moves: { model: 'smart' }, plan, cohort: {}, gates: {}, release: 'a', terms: 't' },
            ...{ approval, stable: { target: 'up/old' } },
            candidate: { target: 'up/new' },
          });
          await store.db.deleteFrom('rollouts').execute();
          await world.restart(0);
          await world.restart(1);
          for (const deed of deeds) {
            const begun = world.told.length;
            await deed(world);
            const starts = world.told.slice(begun).filter(({ from, to }) => {
              return (
                to.progress.phase === 'canary' && (from.phase === 'draft' || from.phase === 'rolled_back')
              );
            });
            if (starts.length > 0) world.calls = 0;
          }
          checkChain(world.told, plan);
          assert.equal(new Set(world.short).size, world.short.length, 'that it lacks calls was told twice');
          await world.pass(LOOK_MS);
          const row = await world.readRow();
          if (row && isWatched(row.progress)) assert.equal(row.candidates, world.calls, 'calls are lost');
          const last = world.told.toSorted((a, b) => a.to.version - b.to.version).at(-1);
          assert.equal(row?.progress.phase ?? 'draft', last?.to.progress.phase ?? 'draft');
          for (const place of [0, 1]) {
            const { progress } = world.at(place).book.find(world.spec);
            assert.equal(progress.phase, row?.progress.phase ?? 'draft', 'an instance knows another phase');
            assert.equal(progress.step, row?.progress.step ?? 0);
          }
          if (approval === 'none') assert.deepEqual(world.requests, []);
          const wanted = (what: string) => world.requests.filter((one) => one.startsWith(what)).length;
          assert.ok(wanted('approved') + wanted('rejected') <= wanted('requested'), world.requests.join());
          await world.stop();
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('of a step that lacks nothing but calls is told once, after it has waited as long again as it was held', async (context) => {
    const store = await database.open(context);
    const world = new World(store, database, {
      ...{
        name: 'lonely',
        moves: { model: 'smart' },
        plan: PLAN,
        cohort: {},
        gates: {},
        release: 'a',
        terms: 't',
      },
      ...{ approval: 'none', stable: { target: 'up/old' }, candidate: { target: 'up/new' } },
    });
    for (const place of [0, 1]) await world.restart(place);
    await world.at(0).act(world, 'start', 'ann');
    await world.pass(3_500);
    assert.deepEqual(world.short, []);
    await world.pass(1_000);
    assert.equal(world.short.length, 1);
    await world.restart(1);
    await world.pass(10_000);
    assert.equal(world.short.length, 1);
    assert.equal((await world.readRow())?.reason?.isShortOfCalls, true);
    await makeCalls(world, 12, false);
    await world.pass(LOOK_MS);
    const row = await world.readRow();
    assert.deepEqual([row?.progress.step, row?.reason], [1, undefined]);
    await world.stop();
  });

  test('a step whose errors may be those of few users waits, is told of once, and goes on when they are no more', async (context) => {
    const store = await database.open(context);
    const world = new World(store, database, {
      ...{ name: 'doubtful', moves: { model: 'smart' }, plan: PLAN, cohort: {}, gates: {} },
      ...{ release: 'a', terms: 't', approval: 'promote' },
      ...{ stable: { target: 'up/old' }, candidate: { target: 'up/new' } },
    });
    const call = async (count: number, failsEvery: number) => {
      const rows = Array.from({ length: count }, (_, index) => {
        const side = index % 2 ? ('stable' as const) : ('candidate' as const);
        const user = side === 'stable' ? index : 4_000_000_000;
        const isFailed = index % (side === 'stable' ? 101 : failsEvery) === 0;
        const flags = isFailed ? (['failed'] as const) : [];
        const rollout = { name: world.spec.name, side, user, flags };
        return toCallRow(makeRecord({ startedAt: world.nowMs, rollout }));
      });
      await store.insertCalls(rows);
    };
    for (const place of [0, 1]) await world.restart(place);
    await world.at(0).act(world, 'start', 'ann');
    await call(400, 20);
    await world.pass(1_500);
    assert.deepEqual(world.shortOfUsers, []);
    await world.pass(3_000);
    const waiting = await world.readRow();
    assert.deepEqual([waiting?.progress.step, waiting?.reason?.isShortOfUsers], [0, true]);
    assert.equal(world.shortOfUsers.length, 1);
    assert.match(world.shortOfUsers[0] ?? '', /^0: errors: 10 % .* users so few/);
    await world.restart(1);
    await world.pass(5_000);
    assert.equal(world.shortOfUsers.length, 1);
    await call(3_000, 200);
    await world.pass(2_000);
    const further = await world.readRow();
    assert.deepEqual([further?.progress.step, further?.reason], [1, undefined]);
    await world.stop();
  });
});
