import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Evidence } from '../../src/rollouts/evidence.ts';

describe('a limit that lets nothing pass', () => {
  const COUNTED = [
    ...[{ errorRate: 0 }, { contentFilterRate: 0 }, { minFeedbackScore: 1 }],
    { judge: { model: 'critic', minScore: 1 } },
  ];
  for (const limits of COUNTED) {
    const [name = ''] = Object.keys(limits);
    test(`is missed by one call, and kept without: ${name}`, () => {
      const evidence = new Evidence({ ...limits, minCalls: 10 });
      const observe = (isGood: boolean, user: number) => {
        const failed = !isGood && name === 'errorRate';
        evidence.observe({ side: 'candidate', user, failed, filtered: !isGood });
        const score = isGood ? 1 : 0.9;
        evidence.observeScore({ side: 'candidate', user }, score);
        evidence.observeScores({ stable: score, candidate: score });
      };
      for (let call = 0; call < 2_000; call++) observe(true, call);
      const before = evidence.failure;
      observe(false, 2_000);
      assert.deepEqual([before, evidence.failure?.gate], [undefined, name]);
      for (let call = 0; call < 200; call++) observe(false, call);
      assert.ok((evidence.failure?.mistake ?? 0) > 0, 'what it comes to can still be told');
      const known = new Evidence({ ...limits, minCalls: 10 }, JSON.parse(JSON.stringify(evidence.state)));
      assert.equal(known.failure?.gate, name);
    });
  }
});
