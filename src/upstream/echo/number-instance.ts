import type { JsonObject } from '../../conversation/json.ts';
import { largest, largestOf, numbersOf, smallestOf } from './schema-scope.ts';

/** How many multiples of a step are tried: enough for a second step (2 and 3, 4 and 6) to be met. */
const TRIES = 24;

/**
 * Numbers that may satisfy all the schemas, the likeliest first; the caller checks them. `variant` asks for
 * another one than 0, 1, … gave.
 */
export function* proposeNumbers(
  schemas: readonly JsonObject[],
  type: 'integer' | 'number',
  variant: number,
): Generator<number> {
  const low = Math.max(largestOf(schemas, 'minimum'), largestOf(schemas, 'exclusiveMinimum'));
  const high = Math.min(smallestOf(schemas, 'maximum'), smallestOf(schemas, 'exclusiveMaximum'));
  const start = Math.max(low, Math.min(high, 1 + variant));
  const steps = numbersOf(schemas, 'multipleOf').filter((step) => step > 0);
  if (type === 'integer') steps.push(1);
  if (steps.length > 0) {
    yield* multiplesNear(start, largest(steps, 0));
    return;
  }
  yield start;
  // Between the bounds where there are two, else a little inside the one.
  if (Number.isFinite(high - low)) yield low + ((high - low) * (variant + 1)) / (variant + 2);
  yield start + 0.5;
  yield start - 0.5;
}

function* multiplesNear(start: number, step: number): Generator<number> {
  const first = Math.ceil(start / step);
  for (let offset = 0; offset < TRIES; offset += 1) {
    yield multiply(first + offset, step);
    yield multiply(first - 1 - offset, step);
  }
}

/** Without the noise of binary fractions: 3 × 0.1 is 0.3. */
function multiply(count: number, step: number): number {
  const product = count * step;
  return Number.isInteger(step) ? product : Number(product.toPrecision(15));
}
