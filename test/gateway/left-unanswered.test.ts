import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { beginStream, say, startProvider } from '../support/scripted-provider.ts';

const messages = [{ role: 'user', content: 'Hi' }];

async function setUp(context: TestContext) {
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const gateway = await startGateway({
    providers: { a: { ...a.provider, health: { breaker: { openFor: '1m' } } }, b: b.provider },
    models: { two: { targets: ['a/x', 'b/y'] } },
  });
  context.after(() => gateway.stop());
  /** Asks, and leaves after so long; gives who answered. */
  const ask = async (patienceMs: number, stream = false) => {
    const body = { model: 'two', stream, messages };
    try {
      const signal = AbortSignal.timeout(patienceMs);
      const response = await gateway.post('/v1/chat/completions', body, { signal });
      await response.text();
      return response.headers.get('x-fairlead-target');
    } catch {
      return 'left';
    }
  };
  const askAtOnce = (calls: number, patienceMs: number, stream = false) =>
    Promise.all(Array.from({ length: calls }, () => ask(patienceMs, stream)));
  const openings = async () => {
    const { body } = await adminClient(gateway.url).must('GET', '/events');
    return (body['data'] as { kind: string }[]).filter(({ kind }) => kind === 'breaker_opened').length;
  };
  return { a, b, ask, askAtOnce, openings };
}

test('a place that hangs is left alone when ten clients have left one after another, who had waited for long', async (context) => {
  const { a, ask, askAtOnce, openings } = await setUp(context);
  a.otherwise = () => undefined;
  await askAtOnce(9, 4_000);
  assert.equal(await openings(), 0, 'a few say nothing');
  await askAtOnce(1, 4_000);
  assert.equal(await ask(20_000), 'b/y');
  assert.equal(await openings(), 1);
});

test('clients that leave soon, or behind a beginning of their answer, or beside others that are answered, say nothing', async (context) => {
  const { a, ask, askAtOnce, openings } = await setUp(context);
  a.otherwise = () => undefined;
  await askAtOnce(12, 300);
  a.otherwise = (response) => beginStream(response);
  await askAtOnce(12, 4_000, true);
  a.otherwise = () => undefined;
  await askAtOnce(9, 4_000);
  a.answers.push(say('Hi'));
  assert.equal(await ask(20_000), 'a/x');
  await askAtOnce(9, 4_000);
  assert.equal(await openings(), 0);
});
