import type { RunningProcess } from '../processes.ts';
import type { Scenario } from '../scenarios.ts';

/** What is measured: a gateway, or the bare connection as a reference. To add one is to add a file and list it. */
export interface Subject {
  readonly name: string;
  /** It is as fast at once as later: no JIT compiler has to be waited for. */
  readonly needsNoWarmUp?: true;
  /** The share of a round's calls that is enough, for one that is so slow that all of them would take minutes. */
  readonly shareOfCalls?: { call: number; chunk: number };
  /** Where it is missing, nothing is said of it unless it was asked for by its name. */
  readonly isOptional?: true;
  /** What a user has to do to have it measured, or undefined where it can be. Absent where nothing can be missing. */
  findMissing?(): string | undefined;
  /** Starts it; it ends with all other processes of the bench. Throws when it does not come up. */
  start(site: Site): Promise<RunningSubject>;
}

/** The surroundings that every subject is started in. */
export interface Site {
  upstreamPort: number;
  /** Secret of the one key that calls; a subject that knows keys has to accept it. */
  apiKey: string;
  /** What will be called: each scenario's name is a model, which the upstream knows by that name and by its version. */
  scenarios: readonly Scenario[];
  /** Folder of its own for configuration, data and logs; removed afterwards. */
  directory: string;
  /** Flags of Node for the gateway, which is profiled, say. */
  nodeFlags: readonly string[];
  /** CPUs to run on, for `taskset`. */
  cpus: string | undefined;
  /** Two CPUs, for what is to run on several. */
  pairOfCpus: string | undefined;
  /** Those of upstream and load, for what a subject needs beside itself. */
  trafficCpus: string | undefined;
}

export interface RunningSubject {
  port: number;
  /** Undefined where there is none between load and upstream. */
  process: RunningProcess | undefined;
  version: string;
  /** Secrets of keys that call by turns; the site's one where absent. */
  apiKeys?: readonly string[];
  /** The prompt that is called in place of the model of the scenario. */
  prompt?: string;
  /** What it calls the model of a scenario; by the scenario's name where absent. */
  modelFor?(scenario: Scenario): string;
  /** It writes answers anew, also where nothing is translated: their length is not known to the byte. */
  rewritesAnswers?: true;
  /** Header lines that calls of a scenario need, such as `x-provider: openai`. */
  headersFor?(scenario: Scenario): readonly string[];
  /** From its start until it took traffic; the bare connection has none. */
  startMs: number | undefined;
  /** All that its JavaScript has allocated so far, collected or not. */
  readAllocatedBytes?(): Promise<number>;
}
