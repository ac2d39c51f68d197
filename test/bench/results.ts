import type { LatencyResult, Ratio, Results, Round } from '../../bench/measure/results.ts';
import type { Report } from '../../bench/report/report.ts';

/** A round of 100 calls in 10 ms. */
export function roundOf(cpuUs: number | undefined, more: Partial<Round> = {}): Round {
  return {
    calls: 100,
    units: 100,
    wallMs: 10,
    readsPerUnit: 1,
    userUsPerUnit: cpuUs,
    systemUsPerUnit: cpuUs === undefined ? undefined : 0,
    allocatedBytesPerUnit: undefined,
    shares: [1],
    busy: { subject: 1, upstream: 0.3, load: 0.2 },
    ...more,
  };
}

/** Results of the scenario `call-1kb` alone. */
export function resultsOf({
  subjects = {},
  ratios = [],
}: {
  subjects?: Record<string, Round[]>;
  ratios?: Ratio[];
}): Results {
  return {
    scenarios: [
      {
        scenario: 'call-1kb',
        title: '1 KB call',
        per: 'call',
        subjects: Object.entries(subjects).map(([subject, rounds]) => {
          return { subject, rounds, failure: undefined };
        }),
        ratios,
      },
    ],
    latencies: [],
    fresh: [],
    starts: [],
  };
}

/** Rounds whose median was so many milliseconds. */
export function latencyOf(scenario: string, medians: Record<string, number[]>): LatencyResult {
  return {
    scenario,
    title: 'Latency',
    callsPerSecond: 1_000,
    until: 'whole answer',
    subjects: Object.entries(medians).map(([subject, each]) => ({
      subject,
      rounds: each.map((p50) => ({ calls: 10, p50, p99: p50 * 2, p999: p50 * 3, lateP99: 0.1 })),
      failure: undefined,
    })),
  };
}

/** A full run with three budgets, whatever the results are. */
export function reportOf(results: Results): Report {
  return {
    formatVersion: 2,
    startedAt: '2026-01-01T00:00:00.000Z',
    tookMs: 1,
    isFull: true,
    environment: {
      cpu: '2 × test CPU',
      cpuCount: 2,
      memoryGb: 4,
      kernel: '6.1',
      node: '26.0.0',
      commit: 'abc',
      loadAverage: 0,
      cpus: { gateway: '0', traffic: '1', pair: '0,1', description: 'gateway on CPU 0' },
      subjects: [{ name: 'nginx', version: '1.22.1' }],
    },
    results,
    budgets: [
      {
        scenario: 'call-1kb',
        subject: 'fairlead',
        figure: 'cpuUs',
        against: 'nginx',
        atMost: 4,
        found: 3,
        met: true,
      },
      { scenario: 'fresh', subject: 'fairlead', figure: 'startMs', atMost: 375, found: 412.4, met: false },
      { scenario: 'fresh', subject: 'fairlead', figure: 'idleMb', atMost: 90, found: undefined, met: false },
    ],
  };
}
