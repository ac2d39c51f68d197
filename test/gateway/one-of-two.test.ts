import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startGatewayProcess } from '../support/gateway-process.ts';
import { scale } from '../support/scale.ts';
import { failWith, say, startProvider } from '../support/scripted-provider.ts';

/** A provider that takes a moment to answer, notes when it was asked, and can be killed, or fall silent, and come back. */
async function startNoting(context: TestContext, limit: () => number | undefined = () => undefined) {
  const askedAt: number[] = [];
  let isSilent = false;
  const { leave, comeBack, baseUrl } = await startProvider(context, (response, stream) => {
    askedAt.push(performance.now());
    if (isSilent) return;
    const retryAfterMs = limit();
    if (retryAfterMs !== undefined) failWith(429, { 'retry-after-ms': String(retryAfterMs) })(response);
    else setTimeout(() => say('Hi')(response, stream), 30);
  });
  /** It takes connections and requests, and says nothing more. */
  const fallSilent = async () => {
    isSilent = true;
  };
  const back = async () => {
    isSilent = false;
    await comeBack();
  };
  return { askedAt, failBy: { killed: leave, hung: fallSilent }, comeBack: back, baseUrl };
}

const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];

interface Answered {
  atMs: number;
  endMs: number;
  status: number;
  attempts: number;
  target: string | null;
}

/** Asks so often a second until told to stop; gives what every call came to. */
function keepAsking(post: (path: string, body: unknown) => Promise<Response>, perSecond: number) {
  const answers: Promise<Answered>[] = [];
  const ask = async (): Promise<Answered> => {
    const atMs = performance.now();
    const stream = answers.length % 2 === 1;
    const body = { model: 'm', stream, messages: [{ role: 'user', content: 'Hi' }] };
    const response = await post('/v1/chat/completions', body);
    const text = await response.text();
    const { headers } = response;
    // A stream that breaks off has said that all is well before.
    const isWhole = stream ? text.endsWith('data: [DONE]\n\n') : text.includes('"Hi"');
    const status = response.status === 200 && !isWhole ? 599 : response.status;
    const attempts = Number(headers.get('x-fairlead-attempts'));
    return { atMs, endMs: performance.now(), status, attempts, target: headers.get('x-fairlead-target') };
  };
  const startMs = performance.now();
  const timer = setInterval(() => {
    // What a busy machine let fall due at once is asked at once.
    while (answers.length < ((performance.now() - startMs) * perSecond) / 1_000) answers.push(ask());
  }, 5);
  return async () => {
    clearInterval(timer);
    return Promise.all(answers);
  };
}

const FAST = scale({ sample: 60, heavy: 200 });

const WAYS = scale({
  sample: [['weighted', 'killed']] as const,
  heavy: [
    ['failover', 'killed'],
    ['weighted', 'killed'],
    ['failover', 'hung'],
    ['weighted', 'hung'],
  ] as const,
});

for (const [strategy, way] of WAYS) {
  test(`of two targets one is ${way} under load: no client notices, and it is found again (${strategy})`, async (context) => {
    const [a, b] = [await startNoting(context), await startNoting(context)];
    const up = ({ baseUrl }: { baseUrl: string }) => ({ adapter: 'openai-compatible', baseUrl, accounts });
    // In a process of its own: providers and clients that keep one thread busy must not look slow to it.
    const gateway = await startGatewayProcess({
      providers: { a: up(a), b: up(b) },
      models: {
        m: { targets: ['a/x', 'b/y'], strategy, ...(way === 'hung' && { timeouts: { firstByte: '1s' } }) },
      },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
    });
    context.after(() => gateway.close());
    const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
    const post = (path: string, body: unknown) =>
      fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const stop = keepAsking(post, FAST);
    await sleep(1_500);
    const killedMs = performance.now();
    await a.failBy[way]();
    await sleep(3_000);
    const backMs = performance.now();
    await a.comeBack();
    await sleep(5_000);
    const answers = await stop();
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], 'a client saw an error');
    const between = (from: number, to: number) => answers.filter(({ atMs }) => atMs >= from && atMs < to);
    // Noticed within two seconds: from then on only probes, one in two seconds, cost a call an attempt more.
    const noticed = between(killedMs + 2_000, backMs);
    assert.ok(noticed.filter(({ attempts }) => attempts > 1).length <= 2, 'it is still being tried');
    const extra = answers.reduce((sum, { attempts }) => sum + attempts - 1, 0);
    // Whoever hangs is noticed when the first time-out is over: what was sent until then is sent again.
    const most =
      way === 'killed' ? 0.2 * between(killedMs, backMs).length : between(killedMs, killedMs + 1_500).length;
    assert.ok(extra < most, `${extra} attempts too many`);
    const found = answers.find(({ atMs, target }) => atMs > backMs && target === 'a/x');
    assert.ok(found && found.atMs - backMs < 5_000, 'it was not found again');
    // While it has all calls, the survivor is asked once for each that was under way then.
    const asked = b.askedAt.filter((atMs) => atMs >= killedMs && atMs < backMs).length;
    const calls = answers.filter(({ atMs, endMs }) => endMs >= killedMs && atMs < backMs).length;
    assert.ok(asked <= 1.2 * calls, `${asked} requests at the survivor for ${calls} calls`);
  });
}

/** What a provider allows: three calls, then none for a while, which it says to all that come. Times as `Date.now` has them. */
function limitCalls(pauseMs: number) {
  const periods: { sinceMs: number; untilMs: number }[] = [];
  let left = 3;
  const ask = (): number | undefined => {
    const nowMs = Date.now();
    const period = periods.at(-1);
    if (left === 0 && period && nowMs < period.untilMs) return period.untilMs - nowMs;
    if (left === 0) left = 3;
    left -= 1;
    if (left === 0) periods.push({ sinceMs: nowMs, untilMs: nowMs + pauseMs });
    return undefined;
  };
  return { periods, ask };
}

test('in a storm of 429 no account is called before the time that it named', async (context) => {
  const limits = [400, 550, 700].map(limitCalls);
  const places = await Promise.all(limits.map(({ ask }) => startNoting(context, ask)));
  const providers = Object.fromEntries(
    places.map(({ baseUrl }, index) => [`p${index}`, { adapter: 'openai-compatible', baseUrl, accounts }]),
  );
  const targets = Object.keys(providers).map((name) => `${name}/x`);
  const gateway = await startGateway({ providers, models: { m: { targets, strategy: 'weighted' } } });
  context.after(() => gateway.stop());
  const stop = keepAsking(gateway.post, 30);
  await sleep(scale({ sample: 3_000, heavy: 20_000 }));
  const answers = await stop();
  const statuses = new Set(answers.map(({ status }) => status));
  assert.ok(statuses.has(200) && [...statuses].every((status) => status === 200 || status === 429));
  const records = await gateway.calls(answers.length);
  let limited = 0;
  for (const [index, { periods }] of limits.entries()) {
    const attempts = records.flatMap(({ startedAt, attempts }) =>
      attempts
        .filter(({ target }) => target === `p${index}/x`)
        .map(({ startedAfterMs, durationMs, outcome }) => {
          const sentMs = startedAt + startedAfterMs;
          return { sentMs, endedMs: sentMs + durationMs, isLimited: outcome === 'upstream_rate_limited' };
        }),
    );
    for (const { sinceMs, untilMs } of periods) {
      const told = attempts.filter(
        ({ isLimited, endedMs }) => isLimited && endedMs > sinceMs && endedMs < untilMs,
      );
      if (told.length === 0) continue;
      limited += 1;
      // The clocks of the records and of the provider are read apart: by a millisecond or two they differ.
      const toldMs = Math.min(...told.map(({ endedMs }) => endedMs)) + 3;
      const early = attempts.filter(({ sentMs }) => sentMs > toldMs && sentMs < untilMs - 3);
      assert.deepEqual(early, [], `p${index} was called before ${untilMs}`);
    }
  }
  assert.ok(limited > 3, 'nobody was limited');
});
