import { type Fault, MOST_FAULTS } from './values.ts';

const MOST = 10;

/** Faults in one line: `'items[0].name' is missing; …`. */
export function describeFaults(faults: readonly Fault[]): string {
  const told = faults
    .slice(0, MOST)
    .map(({ path, message }) => `${path === '' ? 'the whole' : `'${path}'`}: ${message}`);
  const least = faults.length >= MOST_FAULTS ? 'at least ' : '';
  const more = faults.length > MOST ? [`${least}${faults.length - MOST} more`] : [];
  return [...told, ...more].join('; ');
}
