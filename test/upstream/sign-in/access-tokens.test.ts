import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessTokens, type IssuedToken } from '../../../src/upstream/sign-in/access-tokens.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** An issuer that the test answers by hand, on a clock that the test moves. */
function setUp() {
  const clock = { now: 1_000_000 };
  const asked: PromiseWithResolvers<IssuedToken>[] = [];
  const failures: unknown[] = [];
  const tokens = new AccessTokens({
    fetchToken: () => {
      const answer = Promise.withResolvers<IssuedToken>();
      asked.push(answer);
      return answer.promise;
    },
    now: () => clock.now,
    onRenewalFailed: (error) => failures.push(error),
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const give = async (text: string, lifetimeMs = HOUR) => {
    asked.at(-1)?.resolve({ text, lifetimeMs });
    await settle();
  };
  const fail = async (message: string) => {
    asked.at(-1)?.reject(new Error(message));
    await settle();
  };
  return { clock, asked, failures, tokens, give, fail };
}

test('calls at the same time make one request to the issuer', async () => {
  const { tokens, asked, give } = setUp();
  const calls = [tokens.get(), tokens.get(), tokens.get()];
  await give('first');
  assert.deepEqual(await Promise.all(calls), ['first', 'first', 'first']);
  assert.equal(await tokens.get(), 'first');
  assert.equal(asked.length, 1);
});

test('a token is renewed five minutes before its end, and no call waits for it', async () => {
  const { tokens, asked, give, clock } = setUp();
  const first = tokens.get();
  await give('first');
  await first;
  clock.now += HOUR - 5 * MINUTE - 1;
  assert.equal(await tokens.get(), 'first');
  assert.equal(asked.length, 1);
  clock.now += 1;
  assert.deepEqual(await Promise.all([tokens.get(), tokens.get()]), ['first', 'first']);
  assert.equal(asked.length, 2);
  await give('second');
  assert.equal(await tokens.get(), 'second');
});

test('a token that has ended, or ends within seconds, is not used again', async () => {
  const { tokens, give, clock } = setUp();
  const first = tokens.get();
  await give('first');
  await first;
  clock.now += HOUR - 9_000;
  const second = tokens.get();
  await give('second');
  assert.equal(await second, 'second');
});

test('a renewal that fails is told and tried again a little later, while the old token serves', async () => {
  const { tokens, asked, give, fail, failures, clock } = setUp();
  const first = tokens.get();
  await give('first');
  await first;
  clock.now += HOUR - 4 * MINUTE;
  assert.equal(await tokens.get(), 'first');
  await fail('issuer is away');
  assert.deepEqual(failures.map(String), ['Error: issuer is away']);
  clock.now += 9_999;
  assert.equal(await tokens.get(), 'first');
  assert.equal(asked.length, 2);
  clock.now += 1;
  assert.equal(await tokens.get(), 'first');
  assert.equal(asked.length, 3);
});

test('without a good token every waiting call fails, and the next one asks again', async () => {
  const { tokens, asked, give, fail, failures } = setUp();
  const calls = [tokens.get(), tokens.get()];
  const settled = Promise.allSettled(calls);
  await fail('no such account');
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(failures, []);
  const next = tokens.get();
  await give('better');
  assert.equal(await next, 'better');
  assert.equal(asked.length, 2);
});

test('a token that was refused is dropped', async () => {
  const { tokens, give } = setUp();
  const first = tokens.get();
  await give('first');
  await first;
  assert.equal(tokens.current, 'first');
  tokens.drop();
  assert.equal(tokens.current, undefined);
  const second = tokens.get();
  await give('second');
  assert.equal(await second, 'second');
});

test('a short-lived token is renewed at half of its life', async () => {
  const { tokens, asked, give, clock } = setUp();
  const first = tokens.get();
  await give('first', 2 * MINUTE);
  await first;
  clock.now += MINUTE - 1;
  await tokens.get();
  assert.equal(asked.length, 1);
  clock.now += 1;
  await tokens.get();
  assert.equal(asked.length, 2);
});
