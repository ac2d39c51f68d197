/** Picks the size of a heavy suite: a sample in `npm test`, the whole in `npm run test:heavy`. */
export function scale<T>(sizes: { sample: T; heavy: T }): T {
  return process.env['FAIRLEAD_TEST_SCALE'] === 'heavy' ? sizes.heavy : sizes.sample;
}
