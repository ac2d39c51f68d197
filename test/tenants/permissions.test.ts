import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compileApprovals,
  compileModelPermission,
  compileTenantPermission,
} from '../../src/tenants/permissions.ts';

test('names and globs are allowed, everything else is not', () => {
  const mayCall = compileModelPermission(['smart', 'embed', 'openai/*']);
  assert.equal(mayCall('smart'), true);
  assert.equal(mayCall('embed'), true);
  assert.equal(mayCall('openai/gpt-4.1'), true);
  assert.equal(mayCall('smarter'), false);
  assert.equal(mayCall('anthropic/claude-sonnet-4-5'), false);
});

test('a decision is the same when it is asked for again', () => {
  const mayCall = compileModelPermission(['openai/*']);
  for (let time = 0; time < 2; time += 1) {
    assert.equal(mayCall('openai/gpt-4.1'), true);
    assert.equal(mayCall('azure/gpt-4.1'), false);
  }
});

test('a star allows every model', () => {
  const mayCall = compileModelPermission(['smart', '*']);
  assert.equal(mayCall('anything/at/all'), true);
});

test('an empty list allows nothing', () => {
  const mayCall = compileModelPermission([]);
  assert.equal(mayCall('smart'), false);
  assert.equal(mayCall(''), false);
});

test('more names than are remembered, and longer ones, are decided rightly too', () => {
  const mayCall = compileModelPermission(['openai/*', '*-latest']);
  for (let index = 0; index < 3_000; index += 1) {
    assert.equal(mayCall(`openai/${index}`), true);
    assert.equal(mayCall(`other/${index}`), false);
  }
  assert.equal(mayCall(`openai/${'x'.repeat(100_000)}`), true);
  assert.equal(mayCall(`other/${'x'.repeat(100_000)}`), false);
});

test('names of the prototype of objects are names like others', () => {
  const mayCall = compileModelPermission(['smart', 'x/*']);
  assert.equal(mayCall('__proto__'), false);
  assert.equal(mayCall('constructor'), false);
});

const MODELS = {
  free: { targets: [{ provider: 'openai', model: 'small' }] },
  gold: {
    approval: 'required' as const,
    targets: [
      { provider: 'openai', model: 'large' },
      { provider: 'azure', model: 'large' },
    ],
  },
  silver: { approval: 'required' as const, targets: [{ provider: 'openai', model: 'large' }] },
};

test('a model that needs an approval is not called by a list that has it, nor are its targets', () => {
  const mayCall = compileTenantPermission({ models: ['*', 'gold'] }, compileApprovals(MODELS), () => 0);
  for (const model of ['gold', 'silver', 'openai/large', 'azure/large', 'openai/*', 'azure/*']) {
    assert.equal(mayCall(model), false, model);
  }
  for (const model of ['free', 'openai/small', 'mistral/*', 'anything'])
    assert.equal(mayCall(model), true, model);
});

test('a grant opens its model, for whoever has them in a list its targets, too, and ends by the clock', () => {
  let now = 0;
  const approvals = compileApprovals(MODELS);
  const grants = [{ model: 'gold', until: 100 }, { model: 'other/*', until: 200 }, { model: 'single' }];
  const mayCall = compileTenantPermission({ models: ['openai/*'], grants }, approvals, () => now);
  const callable = () =>
    [
      'gold',
      'silver',
      'openai/large',
      'azure/large',
      'openai/*',
      'other/x',
      'other/*',
      'single',
      'none',
    ].filter(mayCall);
  assert.deepEqual(callable(), ['gold', 'openai/large', 'openai/*', 'other/x', 'other/*', 'single']);
  now = 99;
  assert.equal(mayCall('gold'), true);
  now = 100;
  assert.deepEqual(callable(), ['other/x', 'other/*', 'single']);
  now = 200;
  assert.deepEqual(callable(), ['single']);
});

test('who is to call all of a provider’s models has an approval of each that needs one', () => {
  const models = {
    a: { approval: 'required' as const, targets: [{ provider: 'openai', model: 'a' }] },
    b: { approval: 'required' as const, targets: [{ provider: 'openai', model: 'b' }] },
  };
  const permit = (granted: string[]) =>
    compileTenantPermission(
      { models: ['*'], grants: granted.map((model) => ({ model })) },
      compileApprovals(models),
      () => 0,
    )('openai/*');
  assert.deepEqual([[], ['a'], ['a', 'openai/b'], ['openai/*'], ['*']].map(permit), [
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('without grants and approvals the list is all that is asked', () => {
  const approvals = compileApprovals({ free: MODELS.free });
  const mayCall = compileTenantPermission({ models: ['free'], grants: [] }, approvals, () => {
    throw new Error('the clock is asked');
  });
  assert.deepEqual([mayCall('free'), mayCall('gold')], [true, false]);
});

test('a pattern is about models, unless it says what their names lead to beside them, or has all of the provider', () => {
  const model = 'openrouter/openai/gpt-4.1';
  for (const [pattern, allowed] of [
    ['openrouter/openai/*', []],
    ['*/gpt-4.1*', []],
    ['openrouter/*@preset/ops', ['@preset/ops']],
    ['openrouter/*:online', [':online']],
    [`${model}@preset/ops`, ['@preset/ops']],
    ['openrouter/*', ['@preset/ops', ':online', '#mine', '@preset/ops:online']],
    ['open*', ['@preset/ops', ':online', '#mine', '@preset/ops:online']],
    ['*', ['@preset/ops', ':online', '#mine', '@preset/ops:online']],
  ] as const) {
    const may = compileModelPermission([pattern]);
    const further = ['@preset/ops', ':online', '#mine', '@preset/ops:online'];
    assert.deepEqual(
      further.filter((part) => may(model + part)),
      allowed,
      pattern,
    );
  }
  const may = compileModelPermission(['openrouter/*', 'gpt*']);
  assert.equal(may('gpt:online'), true, 'a name of the configuration');
  assert.equal(compileModelPermission(['vertex/claude*'])('vertex/claude-opus-4-1@20250805'), true);
  assert.equal(compileModelPermission(['up/*mini'])('up/x:onlines-mini'), true);
});
