/**
 * Runs `body` with as many seeds; an error tells the seed. `FAIRLEAD_FUZZ_SEED=N` runs that one alone. Each run has the
 * same seeds, so that a failure comes back.
 */
export function runSeeds(count: number, body: (seed: number) => void): void {
  for (const seed of seedNumbers(count)) {
    try {
      body(seed);
    } catch (cause) {
      throw new Error(`FAIRLEAD_FUZZ_SEED=${seed}: ${String(cause)}`, { cause });
    }
  }
}

export function seedNumbers(count: number): number[] {
  const only = process.env['FAIRLEAD_FUZZ_SEED'];
  return only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)];
}
