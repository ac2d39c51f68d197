import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { SlowChecks } from '../../src/prompts/slow-checks.ts';
import { ValueCheck } from '../../src/prompts/values.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

/** Tries every way to match: for thirty letters, longer than anybody waits. */
const PATTERN = '^(\\w+\\s?)+$';
const HOSTILE = `${'a'.repeat(50)}!`;
const TOO_LONG = { path: '', message: 'cannot be checked: it takes too long by its schema' };

const gateway = await startPrompts({
  'hello.prompt': `---\nmodel: echo/echo\ninput:\n  schema:\n    type: object\n    properties:\n      text: { type: string, pattern: '${PATTERN}' }\n---\n{{text}}`,
  'other.prompt': '---\nmodel: echo/echo\n---\n{{text}}',
});
after(gateway.stop);

test('nobody waits for an input that takes long to be checked', async () => {
  const answered: string[] = [];
  const call = async (name: string, text: string) => {
    const { status } = await gateway.post(`/v1/prompts/${name}`, { text });
    answered.push(`${name} ${status}`);
  };
  // So that both have a connection.
  await Promise.all([call('other', 'a'), call('other', 'a')]);
  answered.length = 0;
  await Promise.all([call('hello', HOSTILE), call('other', 'a')]);
  assert.deepEqual(answered, ['other 200', 'hello 400']);
  const last = await gateway.post('/v1/prompts/hello', { text: HOSTILE });
  const { error } = (await last.json()) as { error: { faults: unknown } };
  assert.deepEqual(error.faults, [TOO_LONG]);
});

test('what is found elsewhere is what is found here', async (context) => {
  const checks = new SlowChecks();
  context.after(() => checks.stop());
  const schema: JsonObject = { properties: { text: { type: 'string', pattern: PATTERN } } };
  for (const value of [{ text: 'a b' }, { text: 'a !' }, { text: 5 }, 'x'])
    assert.deepEqual(await checks.faultsOf({ schema, value }), new ValueCheck(schema).faultsOf(value));
});

test('a check goes elsewhere that is not done in a moment, and no other', async (context) => {
  const checks = new SlowChecks();
  context.after(() => checks.stop());
  const check = new ValueCheck({ pattern: PATTERN }, checks);
  let turns = 0;
  const counting = setInterval(() => {
    turns += 1;
  }, 1);
  context.after(() => clearInterval(counting));
  assert.deepEqual(await check.faultsSoon(HOSTILE), [TOO_LONG]);
  assert.ok(turns > 0, 'nothing else was done meanwhile');
  assert.deepEqual(new ValueCheck({ type: 'string' }, checks).faultsSoon('a'), []);
});

test('whoever would wait for too many others is told to try again', async (context) => {
  const checks = new SlowChecks();
  context.after(() => checks.stop());
  const asked = Array.from({ length: 12 }, () => checks.faultsOf({ schema: { type: 'string' }, value: 'a' }));
  const settled = await Promise.allSettled(asked);
  assert.deepEqual(
    settled.map(({ status }) => status),
    [...Array.from({ length: 10 }, () => 'fulfilled'), 'rejected', 'rejected'],
  );
  const [refused] = settled.slice(-1);
  assert.equal((refused as PromiseRejectedResult).reason.kind, 'overloaded');
  assert.deepEqual(await checks.faultsOf({ schema: { type: 'string' }, value: 'a' }), []);
});
