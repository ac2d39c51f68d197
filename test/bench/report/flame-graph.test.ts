import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpuProfile, renderFlameGraph } from '../../../bench/report/flame-graph.ts';

const frame = (functionName: string, url = 'file:///dist/app.js') => ({ functionName, url, lineNumber: 1 });

test('a flame graph has each way of calls once, as wide as its share of the time that is not idle', () => {
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 5, 6] },
      { id: 2, callFrame: frame('handle'), children: [3, 4] },
      { id: 3, callFrame: frame('read<T>') },
      { id: 4, callFrame: frame('write', 'node:net') },
      { id: 5, callFrame: frame('(idle)', '') },
      { id: 6, callFrame: frame('(garbage collector)', '') },
    ],
    samples: [3, 4, 3, 5, 6, 2],
    timeDeltas: [300, 200, 100, 5_000, 200, 200],
  };
  const svg = renderFlameGraph(profile);
  const said = [...svg.matchAll(/<title>(.*?)<\/title>/g)].map(([, title]) => title);
  assert.deepEqual(said, [
    'CPU time by function',
    'all: 100.0 %',
    'handle: 80.0 %',
    'read&lt;T&gt;: 40.0 %',
    'write: 20.0 %',
    '(garbage collector): 20.0 %',
  ]);
  assert.match(svg, /height="51"/);
});
