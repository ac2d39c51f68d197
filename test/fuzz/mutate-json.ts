import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import type { Random } from './random.ts';

/** What is put where something else stood. */
const ODD_VALUES: readonly JsonValue[] = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  'a\udfffb',
  '\u202e\u200d\ufeff',
  '👩‍👩‍👧‍👦'.repeat(50),
  'x'.repeat(70_000),
  '{"a":',
  '[object Object]',
  'data:image/png;base64,%%%',
  'data:,',
  'http://[::1',
  'javascript:alert(1)',
  'a__fl1__',
  `a__fl1__${'A'.repeat(500)}`,
  'X19mbDFfX25vbmU=',
  '2024-13-45T99:99:99Z',
  '__proto__',
  'constructor',
  'user',
  'assistant',
  'tool',
  'system',
  'function',
  'text',
  'tool_use',
  'tool_result',
  'function_call',
  'input_image',
  0,
  -1,
  1.5,
  2 ** 53,
  -(2 ** 63),
  1e308,
  5e-324,
  true,
  false,
  [],
  {},
  [null],
  [[]],
  { type: null },
  { type: 'text' },
  { type: 'image', source: null },
];

const ODD_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '',
  'type',
  'id',
  'role',
  'content',
  'a.b',
  '\ud800',
];

interface Place {
  parent: JsonObject | JsonValue[];
  key: string | number;
}

function placesIn(root: JsonObject | JsonValue[]): Place[] {
  const places: Place[] = [];
  const open: (JsonObject | JsonValue[])[] = [root];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    const keys = Array.isArray(parent) ? parent.keys() : Object.keys(parent);
    for (const key of keys) {
      places.push({ parent, key });
      const value = valueAt({ parent, key });
      if (Array.isArray(value) || isObject(value)) open.push(value);
    }
  }
  return places;
}

function valueAt({ parent, key }: Place): JsonValue | undefined {
  return (parent as Record<string | number, JsonValue | undefined>)[key];
}

/** As its own property, whatever it is called: that is what `JSON.parse` makes of `__proto__`. */
function put({ parent, key }: Place, value: JsonValue | undefined): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function deepen(random: Random, value: JsonValue | undefined): JsonValue {
  const depth = random.pick([1, 2, 40, 130, 600]);
  let deep: JsonValue = value ?? null;
  const asArray = random.chance(0.5);
  for (let level = 0; level < depth; level++) deep = asArray ? [deep] : { a: deep };
  return deep;
}

type Change = (random: Random, place: Place, places: readonly Place[]) => void;

const CHANGES: readonly Change[] = [
  (_random, place) => remove(place),
  (_random, place) => put(place, null),
  (random, place) => put(place, structuredClone(random.pick(ODD_VALUES))),
  (random, place) => put(place, structuredClone(random.pick(ODD_VALUES))),
  (random, place) => put(place, deepen(random, valueAt(place))),
  function duplicate(random, place) {
    const { parent } = place;
    const copy = structuredClone(valueAt(place)) ?? null;
    if (Array.isArray(parent)) parent.splice(random.below(parent.length + 1), 0, copy);
    else put({ parent, key: random.pick(ODD_KEYS) }, copy);
  },
  function retype(_random, place) {
    const value = valueAt(place);
    if (typeof value === 'string') put(place, [value]);
    else if (typeof value === 'number') put(place, String(value));
    else if (Array.isArray(value)) put(place, Object.fromEntries(value.entries()));
    else if (isObject(value))
      put(
        place,
        Object.values(value).filter((inner) => inner !== undefined),
      );
    else put(place, 'true');
  },
  function graft(random, place, places) {
    // A value of another place, also one that holds this one.
    put(place, structuredClone(valueAt(random.pick(places))) ?? null);
  },
  function addOddKey(random, place) {
    const value = valueAt(place);
    if (isObject(value))
      put({ parent: value, key: random.pick(ODD_KEYS) }, structuredClone(random.pick(ODD_VALUES)));
    else put(place, structuredClone(random.pick(ODD_VALUES)));
  },
  function repeatMuch(random, place) {
    const value = valueAt(place);
    if (Array.isArray(value) && value.length > 0 && JSON.stringify(value).length < 2_000) {
      put(
        place,
        Array.from({ length: random.pick([10, 300]) }, () => structuredClone(value[0]) ?? null),
      );
    } else if (typeof value === 'string' && value.length < 200)
      put(place, value.repeat(random.pick([2, 50])));
    else remove(place);
  },
];

/** The same value with one to four things changed in its structure. */
export function mutateJson(random: Random, seed: JsonValue): JsonValue {
  const root: JsonValue[] = [structuredClone(seed)];
  const changes = 1 + random.below(4);
  for (let change = 0; change < changes; change++) {
    const places = placesIn(root);
    // The root itself rarely: what is no object is refused early.
    const [first] = places;
    const place = places.length > 1 && !random.chance(0.02) ? random.pick(places.slice(1)) : first;
    if (place) random.pick(CHANGES)(random, place, places);
  }
  return root[0] ?? null;
}

/** JSON text, sometimes with what only text can say: numbers without measure, keys twice, odd white space. */
export function writeOddly(random: Random, value: JsonValue): string {
  const text = JSON.stringify(value) ?? 'null';
  if (!random.chance(0.2)) return text;
  return random.pick<(text: string) => string>([
    (json) => json.replace(/:(\d+)/, ':1e999'),
    (json) => json.replace(/:(\d+)/, ':-0.0000000000000000000000000001e-400'),
    (json) => json.replace(/:(\d+)/, ':123456789012345678901234567890123456789'),
    (json) => json.replace(/:(\d+)/, ':NaN'),
    // Deeper than any recursion bears.
    (json) => json.replace(/:("[^"]*"|\d+)/, `:${'['.repeat(20_000)}${']'.repeat(20_000)}`),
    (json) => json.replace(/:("[^"]*"|\d+)/, `:${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
    (json) => json.replace(/^\{/, '{"model":"x","model":"y",'),
    (json) => json.replace(/^\{/, '{"stream":true,"stream":false,'),
    (json) => `\ufeff${json}`,
    (json) => ` \n\t${json}\r\n`,
    (json) => JSON.stringify(JSON.parse(json), null, 3),
    (json) => json.replaceAll('":', '" :\n'),
    (json) => json.replace(/"([a-z])/g, (_, letter: string) => `"\\u00${letter.charCodeAt(0).toString(16)}`),
    (json) => `${json}{}`,
    (json) => json.replace(/"/, "'"),
  ])(text);
}
