import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findFreePort, stopAllProcesses } from '../../../bench/processes.ts';
import { SCENARIOS } from '../../../bench/scenarios.ts';
import { startTraffic } from '../../../bench/traffic/start.ts';

const skipOutsideLinux = process.platform !== 'linux' && 'the bench needs Linux';
const directory = mkdtempSync(join(tmpdir(), 'fairlead-bench-test-'));
after(async () => {
  await stopAllProcesses();
  rmSync(directory, { recursive: true });
});

test('load and upstream agree on every scenario, and a wrong answer fails the job', {
  skip: skipOutsideLinux,
}, async () => {
  const traffic = await startTraffic(directory, undefined);
  for (const scenario of SCENARIOS) {
    const result = await traffic.run(scenario, { port: traffic.upstreamPort }, 3);
    assert.equal(result.calls, 3, scenario.name);
  }
  const nobody = await findFreePort();
  const [scenario] = SCENARIOS;
  assert.ok(scenario);
  await assert.rejects(traffic.run(scenario, { port: nobody }, 3), /ECONNREFUSED/);
  const unknown = { ...scenario, name: 'of another bench' };
  await assert.rejects(
    traffic.run(unknown, { port: traffic.upstreamPort }, 3),
    /no scenario of another bench/,
  );
});
