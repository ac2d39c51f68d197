import type { Route, Target } from './target.ts';
import { weightedOrder } from './weighted-order.ts';

/** What the order of a call's targets depends on. */
export interface Asked {
  stream: boolean;
  /** What the call would cost at a target, as far as that can be said before; `null`: not known. */
  costOf: (target: Target) => number | null;
  /** From 0 to 1, without 1. */
  random: () => number;
  monotonicMs: () => number;
}

/** Of the calls of a model with the strategy `fastest` so many go elsewhere first: what was slow may have become fast. */
const EXPLORED = 0.05;

/** The targets of a model in the order in which a call tries them. */
export function orderTargets({ targets, strategy }: Route, asked: Asked): readonly Target[] {
  if (targets.length < 2) return targets;
  switch (strategy) {
    case 'failover':
      return targets;
    case 'weighted':
      return inOrder(
        targets,
        weightedOrder(
          targets.map(({ weight = 1 }) => weight),
          asked.random,
        ),
      );
    case 'fastest':
      return byLatency(targets, asked);
    case 'cheapest':
      return sortBy(targets, (target) => asked.costOf(target) ?? Number.POSITIVE_INFINITY);
  }
}

function byLatency(targets: readonly Target[], { stream, random, monotonicMs }: Asked): readonly Target[] {
  const nowMs = monotonicMs();
  // Those that are alike, as are those of which nothing is known, in any order.
  const shuffled = inOrder(
    targets,
    weightedOrder(
      targets.map(() => 1),
      random,
    ),
  );
  const order = sortBy(shuffled, (target) => latencyOf(target, stream, nowMs));
  if (random() >= EXPLORED) return order;
  const place = 1 + Math.floor(random() * (order.length - 1));
  return [...order.slice(place, place + 1), ...order.slice(0, place), ...order.slice(place + 1)];
}

/** Of its fastest account; 0 where nothing is known of any: what is not known goes first. */
function latencyOf({ lanes = [], account, upstream }: Target, stream: boolean, nowMs: number): number {
  let shortest: number | undefined;
  for (const [place, lane] of lanes.entries()) {
    if (account !== undefined && upstream.accounts[place]?.name !== account) continue;
    const ms = lane.latency(stream, nowMs);
    if (ms !== undefined && (shortest === undefined || ms < shortest)) shortest = ms;
  }
  return shortest ?? 0;
}

function inOrder(targets: readonly Target[], places: readonly number[]): readonly Target[] {
  return places.flatMap((place) => targets[place] ?? []);
}

/** Those that are alike stay in their order. */
function sortBy(targets: readonly Target[], measure: (target: Target) => number): readonly Target[] {
  const valued = targets.map((target) => ({ target, value: measure(target) }));
  // Not by a difference: two that are not known would have none.
  return valued
    .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
    .map(({ target }) => target);
}
