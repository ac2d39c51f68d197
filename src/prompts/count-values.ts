import type { JsonValue } from '../conversation/json.ts';

/** How many values are within a value, as far as `most`. */
export function countValues(value: JsonValue, most: number): number {
  const open: JsonValue[] = [value];
  let count = 0;
  for (let one = open.pop(); one !== undefined && count <= most; one = open.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    const inner = Array.isArray(one) ? one : Object.values(one);
    count += inner.length;
    if (count > most) break;
    for (const item of inner) if (item !== undefined) open.push(item);
  }
  return count;
}
