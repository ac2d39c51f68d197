import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';

const ANSWER = JSON.stringify({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
});

/** A provider that takes a moment to answer, notes when it was asked, and can be killed and come back. */
async function startProvider(context: TestContext, limit: () => number | undefined = () => undefined) {
  const askedAt: number[] = [];
  const server = createServer((incoming, response) => {
    askedAt.push(performance.now());
    incoming.resume().on('end', () => {
      response.setHeader('content-type', 'application/json');
      const retryAfterMs = limit();
      if (retryAfterMs !== undefined) {
        response.writeHead(429, { 'retry-after-ms': String(retryAfterMs) });
        response.end('{"error":{"message":"Slow down"}}');
      } else setTimeout(() => response.end(ANSWER), 30);
    });
  });
  const listen = (port = 0) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen();
  const { port } = server.address() as AddressInfo;
  const kill = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  context.after(() => (server.listening ? kill() : undefined));
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  return { askedAt, kill, comeBack: () => listen(port), baseUrl };
}

const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];

interface Answered {
  atMs: number;
  status: number;
  attempts: number;
  target: string | null;
}

/** Asks so often a second until told to stop; gives what every call came to. */
function keepAsking(post: (path: string, body: unknown) => Promise<Response>, perSecond: number) {
  const answers: Promise<Answered>[] = [];
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
  const ask = async (): Promise<Answered> => {
    const atMs = performance.now();
    const response = await post('/v1/chat/completions', body);
    await response.text();
    const { status, headers } = response;
    const attempts = Number(headers.get('x-fairlead-attempts'));
    return { atMs, status, attempts, target: headers.get('x-fairlead-target') };
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

for (const strategy of scale({ sample: ['weighted'], heavy: ['failover', 'weighted'] })) {
  test(`of two targets one is killed under load: no client notices, and it is found again (${strategy})`, async (context) => {
    const [a, b] = [await startProvider(context), await startProvider(context)];
    const up = ({ baseUrl }: { baseUrl: string }) => ({ adapter: 'openai-compatible', baseUrl, accounts });
    const gateway = await startGateway({
      providers: { a: up(a), b: up(b) },
      models: { m: { targets: ['a/x', 'b/y'], strategy } },
    });
    context.after(() => gateway.stop());
    const stop = keepAsking(gateway.post, FAST);
    await sleep(1_500);
    const killedMs = performance.now();
    await a.kill();
    await sleep(3_000);
    const backMs = performance.now();
    await a.comeBack();
    await sleep(5_000);
    const endMs = performance.now();
    const answers = await stop();
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200], 'a client saw an error');
    const between = (from: number, to: number) => answers.filter(({ atMs }) => atMs >= from && atMs < to);
    // Noticed within two seconds: from then on only probes, one in two seconds, cost a call an attempt more.
    const noticed = between(killedMs + 2_000, backMs);
    assert.ok(noticed.filter(({ attempts }) => attempts > 1).length <= 2, 'it is still being tried');
    const extra = answers.reduce((sum, { attempts }) => sum + attempts - 1, 0);
    assert.ok(extra < 0.2 * between(killedMs, backMs).length, `${extra} attempts too many`);
    const found = answers.find(({ atMs, target }) => atMs > backMs && target === 'a/x');
    assert.ok(found && found.atMs - backMs < 5_000, 'it was not found again');
    const ofB = answers.filter(({ target }) => target === 'b/y').length;
    assert.ok(
      b.askedAt.length <= 1.2 * ofB,
      `${b.askedAt.length} requests at the survivor for ${ofB} answers`,
    );
    assert.ok(endMs > backMs && a.askedAt.some((atMs) => atMs > backMs));
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
  const places = await Promise.all(limits.map(({ ask }) => startProvider(context, ask)));
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
