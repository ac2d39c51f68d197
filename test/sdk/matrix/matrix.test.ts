import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import type { UsageRecord } from '../../../src/usage/record.ts';
import { readmitCredentials } from '../../support/admin.ts';
import type { FakeProvider } from '../../support/fake-provider.ts';
import { ADMIN_KEY, TEST_KEY } from '../../support/gateway.ts';
import { scale } from '../../support/scale.ts';
import type { DoorClient } from '../door-client.ts';
import type { Feature } from '../features.ts';
import { EXCEPTIONS } from './exceptions.ts';
import { expectedOf, usualOutcome } from './expected.ts';
import { observe } from './observe.ts';
import { DOORS, FEATURE_NAMES, readOutcomes, WRITES_OUTCOMES, writeOutcomes } from './outcomes.ts';
import { PROVIDER_KINDS, type ProviderKind } from './providers.ts';
import { startMatrixWorld } from './world.ts';

/*
 * Every door with its official SDKs × every kind of provider × every feature. A cell asserts the same as every other one
 * (`features.ts`), or is an exception with its reason (`exceptions.ts`). Providers are asked beside each other, the cells of one
 * after each other: each has one fake, whose newest request is the cell's.
 */

const world = await startMatrixWorld(PROVIDER_KINDS);
after(() => world.close());

const observed = new Map<string, string>();
const cellName = (door: string, provider: string, feature: Feature) => `${door}, ${provider}, ${feature}`;

/** In the sample every other one, in turn: each provider is asked for each, and so is each door. Those that are much alike take turns among them. */
function featuresOf({ isAlike }: ProviderKind, index: number, door: DoorClient): readonly Feature[] {
  const turn = isAlike ? Math.floor(index / world.doors.length) : index + world.doors.indexOf(door);
  return scale({ sample: FEATURE_NAMES.filter((_, at) => at % 2 === turn % 2), heavy: FEATURE_NAMES });
}

/** In the sample those that are much alike are asked through one of the doors each, in turn. */
function doorsOf({ isAlike }: ProviderKind, index: number): DoorClient[] {
  const { doors } = world;
  const inTurn = doors.filter((_, at) => at === index % doors.length);
  return scale({ sample: isAlike ? inTurn : doors, heavy: doors });
}

/** Of a cell that was answered once whole and once as a stream: the records say what the provider served. */
async function checkRecords(
  { model, fake }: { model: string; fake: FakeProvider },
  startedAt: number,
): Promise<void> {
  const path = `/admin/v1/calls?limit=2&target=${encodeURIComponent(model)}`;
  // Records are written a moment after the call.
  for (let waited = 0; waited < 250; waited += 1) {
    const answer = await world.gateway.get(path, ADMIN_KEY);
    const { data } = (await answer.json()) as { data: UsageRecord[] };
    if (data.length === 2 && data.every((record) => record.startedAt >= startedAt)) {
      for (const [index, record] of data.entries()) {
        const served = { ...NO_USAGE, ...fake.requests.at(-1 - index)?.usage };
        const isSilent = record.stream && record.usage?.estimated === true && model.startsWith('cohere/');
        assert.deepEqual([record.outcome, record.usage], ['ok', isSilent ? record.usage : served]);
      }
      return;
    }
    await sleep(20);
  }
  assert.fail(`no usage records of ${model}`);
}

describe('the matrix', { concurrency: PROVIDER_KINDS.length }, () => {
  for (const [index, kind] of PROVIDER_KINDS.entries()) {
    const { name, thinker = kind.model } = kind;
    const fake = world.fakes.get(kind) ?? assert.fail(`no fake of ${name}`);
    const readmit = () => readmitCredentials(world.gateway.url);
    const asked = {
      model: `${name}/${kind.model}`,
      once: `once-${name}`,
      thinker: `${name}/${thinker}`,
      ...{ fake, readmit },
    };

    describe(name, { concurrency: 1 }, () => {
      for (const door of doorsOf(kind, index)) {
        for (const feature of featuresOf(kind, index, door)) {
          test(cellName(door.sdk, name, feature), async () => {
            const { outcome: expected } = expectedOf(kind, door.dialect, feature);
            const startedAt = Date.now();
            const outcome = await observe(feature, { ...asked, door });
            // What was dropped is told in a header.
            const isUntold =
              door.hidesHeaders === true && /^dropped/.test(expected) && outcome === 'translated';
            assert.equal(outcome, isUntold ? outcome : expected);
            if (!isUntold) observed.set(cellName(door.dialect, name, feature), outcome);
            if (feature === 'usage') await checkRecords(asked, startedAt);
          });
        }
      }
    });
  }
});

test('every exception is the one of each of its cells, and another outcome than theirs would be', () => {
  const kinds = new Map(PROVIDER_KINDS.map((kind) => [kind.name, kind]));
  for (const { providers, features, outcome, reason } of EXCEPTIONS) {
    for (const provider of providers) {
      const kind = kinds.get(provider) ?? assert.fail(`there is no provider '${provider}'`);
      for (const feature of features) {
        for (const door of DOORS.filter((each) => outcome[each] !== undefined)) {
          assert.deepEqual(expectedOf(kind, door, feature), { outcome: outcome[door], reason });
          assert.notEqual(outcome[door], usualOutcome(kind, door));
        }
      }
    }
  }
});

test('what was observed is written down for the compatibility page (`npm run compatibility`)', () => {
  if (WRITES_OUTCOMES) {
    writeOutcomes((door, provider, feature) => {
      const cell = cellName(door, provider, feature);
      return observed.get(cell) ?? assert.fail(`${cell} was not observed`);
    });
  }
  const outcomes = readOutcomes();
  for (const door of DOORS) {
    assert.deepEqual(
      Object.keys(outcomes[door]),
      PROVIDER_KINDS.map(({ name }) => name),
    );
    for (const kind of PROVIDER_KINDS) {
      for (const feature of FEATURE_NAMES) {
        const { outcome } = expectedOf(kind, door, feature);
        assert.equal(outcomes[door][kind.name]?.[feature], outcome, cellName(door, kind.name, feature));
      }
    }
  }
});

test('no key is in a log', () => {
  const logs = world.gateway.logs();
  for (const secret of [TEST_KEY, ...[...world.fakes.values()].map(({ apiKey }) => apiKey)]) {
    assert.equal(logs.includes(secret), false);
  }
});
