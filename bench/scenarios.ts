/** How the upstream sends an answer. */
export type Answer =
  | { kind: 'whole'; sizeBytes: number }
  | {
      kind: 'stream';
      chunks: number;
      /** Chunks that share one packet. */
      chunksPerPacket: number;
      /** Pause between packets; long enough for a gateway to relay one before the next is there. */
      packetEveryMs: number;
    };

/**
 * One thing that is measured: the same traffic for every subject. To add one is to add a row; upstream, load and
 * report follow from it.
 */
export interface Scenario {
  /** Also the model that is called. */
  name: string;
  title: string;
  /** It is measured only where it is asked for by its name. */
  byNameOnly?: true;
  /** What CPU time is divided by. */
  per: 'call' | 'chunk';
  requestBytes: number;
  answer: Answer;
  /** Keep-alive connections, each with one call in flight at any time. */
  connections: number;
  /** Rounds before those that count. A JIT compiler needs some 250,000 calls before what it measures is the steady state. */
  warmUps: number;
  /** Calls a round. /proc counts CPU in 10 ms ticks: a round has to cost a few hundred of them to be exact to a percent or two. */
  calls: { quick: number; full: number };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'call-1kb',
    title: '1 KB call',
    per: 'call',
    requestBytes: 1_024,
    answer: { kind: 'whole', sizeBytes: 1_024 },
    connections: 64,
    warmUps: 12,
    calls: { quick: 20_000, full: 50_000 },
  },
  {
    name: 'stream-one-by-one',
    title: 'Stream, a chunk a packet',
    per: 'chunk',
    requestBytes: 1_024,
    answer: { kind: 'stream', chunks: 200, chunksPerPacket: 1, packetEveryMs: 5 },
    connections: 50,
    warmUps: 1,
    calls: { quick: 100, full: 250 },
  },
  {
    name: 'stream-burst',
    title: 'Stream, ten chunks a packet',
    per: 'chunk',
    requestBytes: 1_024,
    answer: { kind: 'stream', chunks: 1_000, chunksPerPacket: 10, packetEveryMs: 10 },
    connections: 50,
    warmUps: 1,
    calls: { quick: 100, full: 250 },
  },
  {
    name: 'many-tenants',
    title: '1 KB call, of 64 tenants, beside 100,000 keys of 10,000 tenants and alone',
    byNameOnly: true,
    per: 'call',
    requestBytes: 1_024,
    answer: { kind: 'whole', sizeBytes: 1_024 },
    connections: 64,
    warmUps: 12,
    calls: { quick: 20_000, full: 50_000 },
  },
  {
    name: 'prompt-2kb',
    title: '2 KB call, of a prompt and plain',
    byNameOnly: true,
    per: 'call',
    requestBytes: 2_048,
    answer: { kind: 'whole', sizeBytes: 1_024 },
    connections: 64,
    warmUps: 12,
    calls: { quick: 20_000, full: 50_000 },
  },
  {
    name: 'many-prompts',
    title: '2 KB call of a prompt, beside 1,000 of them and alone',
    byNameOnly: true,
    per: 'call',
    requestBytes: 2_048,
    answer: { kind: 'whole', sizeBytes: 1_024 },
    connections: 64,
    warmUps: 12,
    calls: { quick: 20_000, full: 50_000 },
  },
  {
    name: 'workers',
    title: '1 KB call, of one process and of two workers, on two CPUs, with limits in a Redis',
    byNameOnly: true,
    per: 'call',
    requestBytes: 1_024,
    answer: { kind: 'whole', sizeBytes: 1_024 },
    connections: 64,
    warmUps: 16,
    calls: { quick: 20_000, full: 50_000 },
  },
];

/** What a gateway that tells public names from versions calls upstream: the model name is one thing it rewrites. */
export function versionOf(model: string): string {
  return `${model}-2026-01-01`;
}

/** How many units (calls or chunks) one call of the scenario is. */
export function unitsPerCall(scenario: Scenario): number {
  return scenario.per === 'chunk' && scenario.answer.kind === 'stream' ? scenario.answer.chunks : 1;
}
