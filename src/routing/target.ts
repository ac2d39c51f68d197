import type { DefaultFields, DefaultParameters } from '../dialects/default-parameters.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import type { UpstreamRetirement } from '../lifecycle/published-retirements.ts';
import type { Timeouts, Upstream } from '../upstream/upstream.ts';
import type { Capabilities } from './capabilities.ts';
import type { Hedging } from './hedging.ts';
import type { Lane } from './lane.ts';
import type { DivertedRefusal } from './refusals.ts';

/** What is really called: a model version at an upstream. */
export interface Target {
  /** `provider/model-version`. */
  name: string;
  upstream: Upstream;
  /** The model version as the provider knows it. */
  model: string;
  timeouts: Timeouts;
  /** The only account that is called; any of the upstream's where absent. */
  account?: string | undefined;
  /** One for each account of the upstream, in their order. Absent where nothing is called but what is kept there. */
  lanes?: readonly Lane[] | undefined;
  /** Where it is served, where that is not where its account is. */
  region?: string | undefined;
  /** Of the calls of its model, relative to the others, where they are shared out so. 1 where nothing is said. */
  weight?: number | undefined;
  /** What the model can do, where that matters: beside targets that can do something else. */
  capabilities?: Capabilities | undefined;
  /** What calls are told where they do not say it themselves. */
  defaults?:
    | {
        parameters: DefaultParameters;
        fields: Readonly<Record<CallerDialectName, DefaultFields>>;
        /** Of text completions in their own form. */
        completions: DefaultFields;
      }
    | undefined;
  /** When its provider takes it away, where that is known. */
  retirement?: UpstreamRetirement | undefined;
}

export type Strategy = 'failover' | 'weighted' | 'fastest' | 'cheapest';

/** What a public name leads to. */
export interface Route {
  /** As they are configured. */
  targets: readonly Target[];
  strategy: Strategy;
  /** Its targets differ in what they can do: calls are to be looked into. */
  isSelective: boolean;
  /** Targets for refusals that are about the call. */
  fallbacks: Partial<Record<DivertedRefusal, readonly Target[]>>;
  /** Further attempts at most, after the first one failed. */
  retries: number;
  /** How long a call waits for one of its targets to be back, where all are down. */
  recoveryMs?: number | undefined;
  /** The most that one of its targets may generate where a call names no limit, where they say that themselves. */
  unsaidOutput?: number | undefined;
  /** Answers that break off are gone on with where that can be. */
  continueStreams?: boolean | undefined;
  /** Calls may get a second attempt beside a slow one. */
  hedging?: Hedging | undefined;
  /** The name is on its way out. */
  retirement?: Retirement | undefined;
  /** What callers are told of that, or of what all its targets have before them: names and values of headers, in turns. */
  notice?: readonly string[] | undefined;
}

/** When a public name is retired, and what becomes of its calls then. */
export interface Retirement {
  /** Unix milliseconds. */
  atMs: number;
  /** The model to move to. */
  successor?: string | undefined;
  /** From then on calls go to the successor; else they are refused. */
  goesOn: boolean;
}
