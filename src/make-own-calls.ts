import type { Gateway } from './gateway/gateway.ts';
import { type OwnCallOptions, OwnCalls } from './gateway/own-calls.ts';
import { PairJudge } from './gateway/pair-judge.ts';
import { Rehearsal } from './gateway/rehearsal.ts';
import { Shadows } from './gateway/shadows.ts';

/** What the gateway calls of its own accord, for rollouts. `stop` breaks off what is under way. */
export interface MadeOwnCalls {
  shadows: Gateway['shadows'];
  rehearsal: Rehearsal;
  stop(): void;
}

export function makeOwnCalls(options: OwnCallOptions): MadeOwnCalls {
  const { gateway } = options;
  const own = new OwnCalls(options);
  const random = Math.random;
  const judge = new PairJudge({ gateway, own, random });
  return {
    shadows: new Shadows({ gateway, own, judge, random }),
    rehearsal: new Rehearsal({ gateway, own, judge }),
    stop: () => own.stop(),
  };
}
