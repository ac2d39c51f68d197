import { appendAll } from '../../conversation/append-all.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { proposeMatches } from './pattern-instance.ts';
import { largestOf, type SchemaScope, smallestOf } from './schema-scope.ts';

/** Examples of the formats of JSON Schema 2020-12 and of the generators of schemas, ten of each. */
const FORMATS: Record<string, (digit: number) => string> = {
  date: (digit) => `2025-01-1${digit}`,
  'date-time': (digit) => `2025-01-1${digit}T12:00:00Z`,
  time: (digit) => `12:00:0${digit}Z`,
  duration: (digit) => `PT1${digit}M`,
  email: (digit) => `echo${digit}@example.com`,
  'idn-email': (digit) => `echo${digit}@example.com`,
  hostname: (digit) => `echo${digit}.example.com`,
  'idn-hostname': (digit) => `echo${digit}.example.com`,
  ipv4: (digit) => `192.0.2.${digit}`,
  ipv6: (digit) => `2001:db8::${digit}`,
  uri: (digit) => `https://example.com/${digit}`,
  url: (digit) => `https://example.com/${digit}`,
  'uri-reference': (digit) => `https://example.com/${digit}`,
  iri: (digit) => `https://example.com/${digit}`,
  'iri-reference': (digit) => `https://example.com/${digit}`,
  'uri-template': (digit) => `https://example.com/${digit}/{id}`,
  uuid: (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
  guid: (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
  'json-pointer': (digit) => `/echo/${digit}`,
  'relative-json-pointer': (digit) => `${digit}/echo`,
  regex: (digit) => `echo${digit}`,
};

/**
 * Strings that may satisfy all the schemas, the likeliest first; the caller checks their length. Where nothing
 * constrains a string it is the text. `variant` asks for another one than 0, 1, … gave.
 */
export function* proposeStrings(
  schemas: readonly JsonObject[],
  text: string,
  variant: number,
  scope: SchemaScope,
): Generator<string> {
  const shortest = largestOf(schemas, 'minLength', 0);
  const longest = smallestOf(schemas, 'maxLength');
  const formats = new Set(stringsOf(schemas, 'format').filter((format) => Object.hasOwn(FORMATS, format)));
  const patterns = new Set(stringsOf(schemas, 'pattern'));
  for (const format of formats) {
    // A pattern beside a format is taken to say the same thing: generators of schemas write both.
    const example = FORMATS[format]?.(variant % 10);
    if (example !== undefined) yield example;
  }
  if (formats.size > 0) return;
  const [pattern, ...others] = patterns;
  if (pattern !== undefined) {
    if (others.length === 0) yield* proposeMatches(pattern, shortest, variant, scope);
    return;
  }
  const suffix = variant === 0 ? '' : ` ${variant + 1}`;
  yield fitLength(text === '' ? 'echo' : text, suffix, shortest, longest, scope);
  yield fitLength('echo', suffix, shortest, longest, scope);
}

/** Cuts or fills a text to a length in code points, which is how JSON Schema counts. */
function fitLength(
  text: string,
  suffix: string,
  shortest: number,
  longest: number,
  scope: SchemaScope,
): string {
  const characters = [...text].slice(0, Math.max(0, longest - suffix.length));
  appendAll(characters, suffix);
  scope.spend(Math.max(characters.length, shortest));
  while (characters.length < shortest) characters.push('.');
  return characters.join('');
}

function stringsOf(schemas: readonly JsonObject[], keyword: string): string[] {
  return schemas.map((schema) => schema[keyword]).filter((value) => typeof value === 'string');
}
