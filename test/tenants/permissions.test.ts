import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileModelPermission } from '../../src/tenants/permissions.ts';

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
