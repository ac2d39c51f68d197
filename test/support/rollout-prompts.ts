/** Prompts of two versions each, and the rollouts that move their labels. */

const INPUT = '{ text: string }';

function promptFile(answer: string, { input = INPUT } = {}): string {
  return `---
model: up/m
input: { schema: ${input} }
output: { schema: { kind: string } }
fairlead.repairs: 0
---
{{text}}: Answer ${answer}.
`;
}

export const KIND = '{"kind":"bug"}';
export const BETTER = '{"kind":"better"}';
/** What each prompt is, and is to become. */
export const PROMPTS: Readonly<Record<string, readonly [string, string]>> = {
  good: [promptFile(KIND), promptFile(BETTER)],
  broken: [promptFile(KIND), promptFile('{"kind":7}')],
  narrow: [promptFile(KIND), promptFile(BETTER, { input: '{ text: string, tone: string }' })],
  copied: [promptFile(KIND), promptFile(BETTER)],
  // What a judge is asked; its second version does not take what it is shown.
  pair: [
    promptFile('{"a":0.75,"b":0.25}', { input: '{ request: string, a: string, b: string }' }).replace(
      '{{text}}',
      'Of {{request}} judge {{a}} and {{b}}',
    ),
    promptFile(KIND),
  ],
  taken: [promptFile(KIND), promptFile(BETTER)],
  both: [promptFile(KIND), promptFile(BETTER)].map((file) => file.replace('up/m', 'smart')) as [
    string,
    string,
  ],
  made: [promptFile(KIND), promptFile(BETTER)],
  cached: [promptFile(KIND), promptFile(BETTER)].map((file) =>
    file.replace('---\n{{', 'cache: { ttl: 1h }\n---\n{{'),
  ) as [string, string],
};

const GATES = { minCalls: 4, p50LatencyRatio: 100 };
const HALF = [{ weight: 50, hold: '10m' }];
const SIDES = { stable: 1, candidate: 2 };
export const ROLLOUTS = {
  good: {
    ...{ prompt: 'good', stable: 'production', candidate: 'staging', gates: GATES },
    steps: [
      { weight: 1, hold: '200ms' },
      { weight: 25, hold: '200ms' },
      { weight: 100, hold: '200ms' },
    ],
  },
  broken: { prompt: 'broken', ...SIDES, steps: HALF, gates: { ...GATES, minCalls: 50 } },
  narrow: { prompt: 'narrow', ...SIDES, steps: HALF, gates: { ...GATES, minCalls: 50 } },
  copied: {
    ...{ prompt: 'copied', ...SIDES, steps: HALF, shadow: { share: 1, hold: '10m' } },
    gates: { ...GATES, judge: { prompt: 'pair' } },
  },
  taken: { prompt: 'taken', ...SIDES, steps: [{ weight: 100, hold: '10m' }] },
  cached: { prompt: 'cached', ...SIDES, steps: HALF },
  both: { prompt: 'both', ...SIDES, steps: [{ weight: 100, hold: '10m' }] },
  model: { model: 'smart', stable: 'up/old', candidate: 'up/new', steps: [{ weight: 100, hold: '10m' }] },
};
