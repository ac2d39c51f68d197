import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Bounds } from '../../src/overload/bounds.ts';
import { scale } from '../support/scale.ts';
import { boundsOf, Tenant, type TestCall, VirtualPlaces } from './virtual-places.ts';

const MODELS = ['m', 'n', undefined] as const;
const PRIORITIES = ['high', 'normal', 'normal', 'low', 'low'] as const;

const anyBounds = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.nat({ max: 12 }), fc.constantFrom(50, 100, 1_000))
  .map(([running, queued, ms]) => boundsOf(running, queued, ms));

const anyModels = fc
  .record({ m: fc.option(anyBounds), n: fc.option(anyBounds) })
  .map((models) => new Map(Object.entries(models).filter((entry): entry is [string, Bounds] => !!entry[1])));

/** A call comes, one that runs ends, one that waits leaves, time passes, or the bounds change. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        does: fc.constant('come' as const),
        tenant: fc.nat({ max: PRIORITIES.length - 1 }),
        model: fc.constantFrom(...MODELS),
        patienceMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 300 })),
      }),
    },
    { weight: 4, arbitrary: fc.record({ does: fc.constant('end' as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('leave' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('pass' as const), ms: fc.nat({ max: 60 }) }) },
    // As where timers are late.
    { weight: 1, arbitrary: fc.record({ does: fc.constant('stall' as const), ms: fc.nat({ max: 60 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('bound' as const), all: anyBounds, models: anyModels }),
    },
  ),
  { maxLength: 150, size: 'max' },
);

test('whatever comes, goes and changes: no bound is exceeded, nobody waits for a free place, and each call has one fate', () => {
  fc.assert(
    fc.property(anyBounds, anyModels, steps, (firstAll, firstModels, sequence) => {
      let [all, models] = [firstAll, firstModels];
      const venue = new VirtualPlaces(all, models);
      const { places } = venue;
      const tenants = PRIORITIES.map((priority, index) => new Tenant(`t${index}`, priority));
      let calls: TestCall[] = [];
      const running = () => calls.filter(({ place }) => place !== undefined);
      const waiting = () => calls.filter(({ line }) => line !== undefined);
      const runningOf = (model: string) =>
        running().filter(({ place }) => place?.room.model === model).length;
      const waitingOf = (model: string) =>
        waiting().filter(({ line }) => line?.share.room.model === model).length;
      const before = { running: 0, waiting: 0, of: new Map<string, [number, number]>() };
      const check = () => {
        assert.equal(places.running, running().length);
        assert.equal(places.waiting, waiting().length);
        assert.equal(venue.timed, waiting().length, 'only those that wait have a time that runs');
        // Bounds that were lowered are met by letting nobody in.
        assert.ok(running().length <= Math.max(all.maxRunning, before.running));
        assert.ok(waiting().length <= Math.max(all.maxQueued, before.waiting));
        for (const [model, { maxRunning, maxQueued }] of models) {
          const [ran, waited] = before.of.get(model) ?? [0, 0];
          assert.ok(runningOf(model) <= Math.max(maxRunning, ran), 'the places of a model');
          assert.ok(waitingOf(model) <= Math.max(maxQueued, waited), 'the queue of a model');
        }
        if (places.running < all.maxRunning) {
          assert.ok(
            waiting().every(({ line }) => line?.share.room.isFull),
            'nobody waits for a place that is free',
          );
        }
        for (const { told, place, line, error, waited, takenMs, deadlineMs } of calls) {
          assert.ok(takenMs === undefined || takenMs < deadlineMs, 'nobody is let in who has given up');
          const fates = [place, line, error].filter((fate) => fate !== undefined).length;
          assert.ok(fates <= 1, 'a call runs, waits or is refused');
          assert.ok(told <= 1, 'it is told once');
          assert.ok(waited || error?.kind === undefined || error.kind === 'overloaded');
        }
        before.running = running().length;
        before.waiting = waiting().length;
        for (const model of ['m', 'n']) before.of.set(model, [runningOf(model), waitingOf(model)]);
      };
      for (const step of sequence) {
        switch (step.does) {
          case 'come':
            calls.push(venue.come(tenants[step.tenant] as Tenant, step.model, step.patienceMs));
            break;
          case 'end': {
            const ending = running();
            if (ending.length > 0) venue.end(ending[step.which % ending.length] as TestCall);
            break;
          }
          case 'leave': {
            const leaving = waiting();
            const call = leaving[step.which % Math.max(leaving.length, 1)];
            if (!call) break;
            places.stopWaiting(call);
            places.stopWaiting(call);
            calls = calls.filter((other) => other !== call);
            assert.equal(call.told, 0, 'who leaves is told nothing');
            break;
          }
          case 'pass':
            venue.pass(step.ms);
            break;
          case 'stall':
            venue.nowMs += step.ms;
            break;
          case 'bound':
            [all, models] = [step.all, step.models];
            places.setBounds({ all, models });
            break;
        }
        check();
      }
      for (let call = running()[0]; call; call = running()[0]) venue.end(call);
      assert.equal(waiting().length, 0, 'all that waited came to its turn');
      assert.deepEqual([places.running, places.waiting, venue.timed], [0, 0, 0]);
      for (const { holder } of tenants) assert.deepEqual([holder.running, holder.waiting], [0, 0]);
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

test('a free place is never a tenant’s that has more of the model’s places than another of its priority that waits', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), (sequence, maxRunning) => {
      const venue = new VirtualPlaces(
        boundsOf(100, 1_000, 1e9),
        new Map([['m', boundsOf(maxRunning, 500, 1e9)]]),
      );
      const tenants = PRIORITIES.map((priority, index) => new Tenant(`t${index}`, priority));
      const calls: TestCall[] = [];
      const runningOf = (tenant: Tenant) =>
        calls.filter((call) => call.place !== undefined && call.tenant === tenant).length;
      venue.onTake = (taker) => {
        for (const { line, tenant } of calls) {
          if (!line || tenant.rank !== taker.tenant.rank || tenant === taker.tenant) continue;
          assert.ok(runningOf(tenant) >= runningOf(taker.tenant) - 1, `${tenant.name} has fewer places`);
        }
      };
      for (const step of sequence) {
        if (step.does === 'come') calls.push(venue.come(tenants[step.tenant] as Tenant, 'm'));
        const running = calls.filter(({ place }) => place !== undefined);
        if (step.does === 'end' && running.length > 0)
          venue.end(running[step.which % running.length] as TestCall);
      }
    }),
  );
});

test('of a full queue no tenant is refused or sent away that has less of it than another of its priority', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 3 }), { minLength: 20, maxLength: 80, size: 'max' }),
      fc.integer({ min: 1, max: 9 }),
      (comers, maxQueued) => {
        const venue = new VirtualPlaces(boundsOf(1, maxQueued));
        venue.come(new Tenant('first'));
        const tenants = [0, 1, 2, 3].map((index) => new Tenant(`t${index}`));
        const calls: TestCall[] = [];
        for (const comer of comers) {
          const refusedBefore = calls.filter(({ error }) => error).length;
          calls.push(venue.come(tenants[comer] as Tenant));
          assert.ok(venue.places.waiting <= maxQueued);
          const refused = calls.filter(({ error }) => error);
          if (refused.length === refusedBefore) continue;
          assert.equal(refused.length, refusedBefore + 1, 'one makes way for one');
        }
        const waiting = tenants.map(({ holder }) => holder.waiting);
        for (const [index, { holder }] of tenants.entries()) {
          const came = comers.filter((comer) => comer === index).length;
          if (holder.waiting < came) {
            assert.ok(
              Math.max(...waiting) <= holder.waiting + 1,
              `of ${waiting} one was refused that has less`,
            );
          }
        }
      },
    ),
  );
});

test('no priority that somebody waits in is passed over more than ten times in a row', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 4 }), { minLength: 100, maxLength: 200, size: 'max' }),
      fc.array(fc.nat({ max: 4 }), { minLength: 100, maxLength: 200, size: 'max' }),
      (first, later) => {
        const venue = new VirtualPlaces(boundsOf(1, 10_000, 1e9));
        const tenants = PRIORITIES.map((priority, index) => new Tenant(`t${index}`, priority));
        let running = venue.come(new Tenant('first'));
        for (const comer of first) venue.come(tenants[comer] as Tenant);
        const passed = [0, 0, 0];
        for (const comer of later) {
          venue.come(tenants[comer] as Tenant);
          const waits = [0, 1, 2].filter((rank) =>
            tenants.some((tenant) => tenant.rank === rank && tenant.holder.waiting > 0),
          );
          venue.end(running);
          running = venue.taken.at(-1) as TestCall;
          for (const rank of [0, 1, 2]) {
            const isPassed = waits.includes(rank) && running.tenant.rank !== rank;
            passed[rank] = isPassed ? (passed[rank] ?? 0) + 1 : 0;
            assert.ok((passed[rank] ?? 0) <= 10, `priority ${rank} was passed over ${passed[rank]} times`);
          }
        }
      },
    ),
  );
});
