/**
 * A random order of places `0 … n-1`, in which each comes first as often as its weight is of all weights, and so on among the rest.
 * Places without weight come last. (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.)
 */
export function weightedOrder(weights: readonly number[], random: () => number): number[] {
  const keys = weights.map((weight) => (weight > 0 ? Math.log(1 - random()) / weight : -Infinity));
  return weights.map((_, place) => place).sort((a, b) => (keys[b] ?? 0) - (keys[a] ?? 0) || a - b);
}
