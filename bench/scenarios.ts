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

/** Of a quick run and of a full one. */
export interface ByLength<T> {
  quick: T;
  full: T;
}

/** What is called and answered, the same for every subject. */
interface CallShape {
  /** Also the model that is called. */
  name: string;
  title: string;
  /** The subjects that it is measured of; absent where they are `EVERYBODY`. */
  subjects?: readonly string[];
  /** It is measured only where it is asked for by its name; `quick`: or in a full run. */
  byNameOnly?: true | 'quick';
  requestBytes: number;
  answer: Answer;
  /** The provider speaks `messages` (Anthropic Messages), while callers speak `chat`. What cannot translate gets the same in `chat`. */
  translated?: true;
}

/** CPU time a call or chunk, with a call under way on each connection all the time. */
export interface CpuScenario extends CallShape {
  measure: 'cpu';
  /** What CPU time is divided by. */
  per: 'call' | 'chunk';
  /** Keep-alive connections, each with one call in flight at any time. */
  connections: number;
  /** Calls before those that count. A JIT compiler needs some 250,000 before what is measured is the steady state. */
  warmUpCalls: ByLength<number>;
  /** Calls a round. /proc counts CPU in 10 ms ticks: a round has to cost a few hundred of them to be exact to a percent or two. */
  calls: ByLength<number>;
}

/** How long answers take, of calls that begin at times that were set before, whatever became of the calls before them. */
export interface LatencyScenario extends CallShape {
  measure: 'latency';
  callsPerSecond: number;
  roundSeconds: ByLength<number>;
  /** What the time is taken of, from when the call was to begin. */
  until: 'whole answer' | 'first token';
}

/** A process that has just started: how long that took, and what memory it holds, at rest and with streams open. */
export interface FreshScenario extends CallShape {
  measure: 'fresh';
  starts: ByLength<number>;
  /** Streams that are open at once, one step after another. */
  openStreams: ByLength<readonly number[]>;
}

/** One thing that is measured. To add one is to add a row; upstream, load and report follow from it. */
export type Scenario = CpuScenario | LatencyScenario | FreshScenario;

/** The subjects of a scenario that names none. */
export const EVERYBODY = ['direct', 'nginx', 'fairlead', 'portkey', 'litellm', 'bifrost'];

const KB = 1_024;
const MB = 1_024 * KB;

/** A call of a kilobyte each way, again and again. */
const SMALL_CALLS = {
  measure: 'cpu',
  per: 'call',
  requestBytes: KB,
  answer: { kind: 'whole', sizeBytes: KB },
  connections: 64,
  warmUpCalls: { quick: 120_000, full: 250_000 },
  calls: { quick: 20_000, full: 40_000 },
} as const;

const ONE_BY_ONE = { kind: 'stream', chunks: 200, chunksPerPacket: 1, packetEveryMs: 5 } as const;
const BURSTS = { kind: 'stream', chunks: 1_000, chunksPerPacket: 10, packetEveryMs: 10 } as const;
const STREAMS = {
  measure: 'cpu',
  per: 'chunk',
  requestBytes: KB,
  connections: 50,
  warmUpCalls: { quick: 50, full: 100 },
  calls: { quick: 50, full: 100 },
} as const;

const TRANSLATED_STREAMS = {
  ...STREAMS,
  byNameOnly: 'quick',
  subjects: ['nginx', 'fairlead', 'portkey', 'litellm', 'bifrost'],
  translated: true,
} as const;

const LATENCY = {
  measure: 'latency',
  // At these rates LiteLLM has a queue alone.
  subjects: ['direct', 'nginx', 'fairlead', 'portkey', 'bifrost'],
  requestBytes: KB,
  answer: { kind: 'whole', sizeBytes: KB },
  until: 'whole answer',
} as const;

export const SCENARIOS: readonly Scenario[] = [
  { ...SMALL_CALLS, name: 'call-1kb', title: '1 KB call' },
  {
    ...SMALL_CALLS,
    name: 'call-1kb-redis',
    title: '1 KB call, with limits in a Redis',
    subjects: ['nginx', 'fairlead-redis'],
    byNameOnly: 'quick',
  },
  {
    ...SMALL_CALLS,
    name: 'call-20kb',
    title: 'Call of 20 KB, answered with 1 KB',
    requestBytes: 20 * KB,
    byNameOnly: 'quick',
    warmUpCalls: { quick: 5_000, full: 20_000 },
    calls: { quick: 5_000, full: 20_000 },
  },
  {
    ...SMALL_CALLS,
    name: 'call-1mb',
    title: 'Call of 1 MB, answered with 1 KB',
    requestBytes: MB,
    connections: 16,
    warmUpCalls: { quick: 300, full: 1_000 },
    calls: { quick: 300, full: 1_000 },
  },
  {
    ...SMALL_CALLS,
    name: 'translated-1kb',
    title: '1 KB call, translated from chat to Anthropic Messages and back (nginx: passed on as it is)',
    translated: true,
    warmUpCalls: { quick: 20_000, full: 60_000 },
    calls: { quick: 10_000, full: 20_000 },
  },
  { ...STREAMS, name: 'stream-one-by-one', title: 'Stream, a chunk a packet', answer: ONE_BY_ONE },
  { ...STREAMS, name: 'stream-burst', title: 'Stream, ten chunks a packet', answer: BURSTS },
  {
    ...TRANSLATED_STREAMS,
    name: 'translated-one-by-one',
    title: 'Stream, translated from Anthropic Messages to chat, a chunk a packet (nginx: passed on as it is)',
    answer: ONE_BY_ONE,
  },
  {
    ...TRANSLATED_STREAMS,
    name: 'translated-burst',
    title:
      'Stream, translated from Anthropic Messages to chat, ten chunks a packet (nginx: passed on as it is)',
    answer: BURSTS,
  },
  {
    ...LATENCY,
    name: 'latency-300',
    title: 'Added latency of 1 KB calls, 300 a second',
    byNameOnly: 'quick',
    callsPerSecond: 300,
    roundSeconds: { quick: 1, full: 2.5 },
  },
  {
    ...LATENCY,
    name: 'latency-1000',
    title: 'Added latency of 1 KB calls, 1,000 a second',
    callsPerSecond: 1_000,
    roundSeconds: { quick: 1, full: 2.5 },
  },
  {
    ...LATENCY,
    name: 'first-token',
    title: 'Added time to the first token of streams, 100 calls a second',
    byNameOnly: 'quick',
    callsPerSecond: 100,
    roundSeconds: { quick: 1, full: 2.5 },
    // The first packet has a token: what a provider sends ahead of it is held back, and waiting for it would be counted.
    answer: { kind: 'stream', chunks: 20, chunksPerPacket: 2, packetEveryMs: 10 },
    until: 'first token',
  },
  {
    measure: 'fresh',
    name: 'fresh',
    title: 'A fresh process',
    subjects: ['nginx', 'fairlead', 'portkey', 'litellm', 'bifrost'],
    requestBytes: KB,
    answer: { kind: 'stream', chunks: 240, chunksPerPacket: 2, packetEveryMs: 1_000 },
    starts: { quick: 1, full: 5 },
    openStreams: { quick: [1_000], full: [1_000, 5_000] },
  },
  {
    ...SMALL_CALLS,
    name: 'many-tenants',
    title: '1 KB call, of 64 tenants, beside 100,000 keys of 10,000 tenants and alone',
    subjects: ['nginx', 'fairlead-few', 'fairlead-many'],
    byNameOnly: true,
  },
  {
    ...SMALL_CALLS,
    name: 'prompt-2kb',
    title: '2 KB call, of a prompt and plain',
    subjects: ['nginx', 'fairlead', 'fairlead-prompt'],
    byNameOnly: true,
    requestBytes: 2 * KB,
  },
  {
    ...SMALL_CALLS,
    name: 'many-prompts',
    title: '2 KB call of a prompt, beside 1,000 of them and alone',
    subjects: ['fairlead-prompt', 'fairlead-prompts'],
    byNameOnly: true,
    requestBytes: 2 * KB,
  },
  {
    ...SMALL_CALLS,
    name: 'workers',
    title: '1 KB call, of one process and of two workers, on two CPUs, with limits in a Redis',
    subjects: ['fairlead-workers-1', 'fairlead-workers-2'],
    byNameOnly: 'quick',
    warmUpCalls: { quick: 120_000, full: 200_000 },
    calls: { quick: 20_000, full: 30_000 },
  },
];

/** What a gateway that tells public names from versions calls upstream: the model name is one thing it rewrites. */
export function versionOf(model: string): string {
  return `${model}-2026-01-01`;
}

/** How many units (calls or chunks) one call of the scenario is. */
export function unitsPerCall(scenario: CpuScenario): number {
  return scenario.per === 'chunk' && scenario.answer.kind === 'stream' ? scenario.answer.chunks : 1;
}
