import { appendAll } from '../../conversation/append-all.ts';
import type { SchemaScope } from './schema-scope.ts';

/**
 * Reads the part of ECMAScript's regular expressions of which a match can be written down at once: literals,
 * classes, groups, alternatives and quantifiers, anchored at the ends or not. Assertions, backreferences and
 * Unicode properties are not of it. The expression itself is never run: it comes from outside, and a
 * backtracking engine can be kept busy for ever.
 */
export type PatternNode =
  | { type: 'characters'; ranges: CharacterRange[] }
  | { type: 'sequence'; nodes: PatternNode[] }
  | { type: 'alternatives'; nodes: PatternNode[] }
  | { type: 'repeat'; node: PatternNode; min: number; max: number };

/** First and last code point. */
export type CharacterRange = readonly [number, number];

/** One alternative of a whole pattern. */
export interface PatternBranch {
  node: PatternNode;
  /** It ends in `$`: nothing may follow a match. */
  endsHere: boolean;
}

const LAST_CODE_POINT = 0x10ffff;
const DIGITS: CharacterRange[] = [[0x30, 0x39]];
const WORD: CharacterRange[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: CharacterRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
];
/** ECMAScript's `\s` has more than `SPACE` names; what is outside of it must avoid them all. */
const ANY_SPACE: CharacterRange[] = [
  ...SPACE,
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: CharacterRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

const CLASS_ESCAPES: Record<string, CharacterRange[]> = {
  d: DIGITS,
  D: complementOf(DIGITS),
  w: WORD,
  W: complementOf(WORD),
  s: SPACE,
  S: complementOf(ANY_SPACE),
};
const CONTROL_ESCAPES: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** A pattern with something in it that is not read. */
class UnreadablePattern extends Error {}

/** The alternatives of a pattern; `undefined` where it holds something that is not read here. */
export function readPattern(source: string, scope: SchemaScope): PatternBranch[] | undefined {
  scope.spend(source.length);
  try {
    return new PatternReader(source, scope).readBranches();
  } catch (error) {
    if (error instanceof UnreadablePattern) return undefined;
    throw error;
  }
}

/** Every code point that is in none of the ranges. */
export function complementOf(ranges: readonly CharacterRange[]): CharacterRange[] {
  const rest: CharacterRange[] = [];
  let next = 0;
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (first > next) rest.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= LAST_CODE_POINT) rest.push([next, LAST_CODE_POINT]);
  return rest;
}

class PatternReader {
  readonly #characters: string[];
  readonly #scope: SchemaScope;
  #at = 0;

  constructor(source: string, scope: SchemaScope) {
    this.#characters = [...source];
    this.#scope = scope;
  }

  readBranches(): PatternBranch[] {
    const branches: PatternBranch[] = [];
    do {
      this.#take('^');
      const node = this.#readSequence();
      branches.push({ node, endsHere: this.#take('$') });
    } while (this.#take('|'));
    if (this.#at < this.#characters.length) throw new UnreadablePattern();
    return branches;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw new UnreadablePattern();
  }

  #readAny(): string {
    const character = this.#next;
    if (character === undefined) throw new UnreadablePattern();
    this.#at += 1;
    return character;
  }

  #readAlternatives(): PatternNode {
    const nodes = [this.#readSequence()];
    while (this.#take('|')) nodes.push(this.#readSequence());
    return { type: 'alternatives', nodes };
  }

  #readSequence(): PatternNode {
    const nodes: PatternNode[] = [];
    while (this.#next !== undefined && !'|)$'.includes(this.#next)) {
      nodes.push(this.#readQuantifier(this.#readAtom()));
    }
    return { type: 'sequence', nodes };
  }

  #readAtom(): PatternNode {
    const character = this.#readAny();
    if (character === '(') return this.#readGroup();
    if (character === '[') return { type: 'characters', ranges: this.#readClass() };
    if (character === '.') return { type: 'characters', ranges: complementOf(LINE_ENDS) };
    if (character === '\\') return { type: 'characters', ranges: this.#readEscape() };
    if ('^*+?{}]'.includes(character)) throw new UnreadablePattern();
    return { type: 'characters', ranges: [onlyThe(character)] };
  }

  #readGroup(): PatternNode {
    if (this.#take('?')) {
      if (this.#take('<')) {
        // A name; `(?<=` and `(?<!` look behind.
        while (!this.#take('>')) if (!/\w/.test(this.#readAny())) throw new UnreadablePattern();
      } else {
        this.#expect(':');
      }
    }
    const node = this.#scope.descend(() => this.#readAlternatives());
    this.#expect(')');
    return node;
  }

  #readQuantifier(node: PatternNode): PatternNode {
    const quantifier = this.#readRange();
    if (!quantifier) return node;
    this.#take('?');
    return { type: 'repeat', node, ...quantifier };
  }

  #readRange(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (!this.#take('{')) return undefined;
    const min = this.#readInteger() ?? Number.NaN;
    const max = this.#take(',') ? (this.#readInteger() ?? Number.POSITIVE_INFINITY) : min;
    this.#expect('}');
    if (!(min <= max)) throw new UnreadablePattern();
    return { min, max };
  }

  #readInteger(): number | undefined {
    let digits = '';
    while (this.#next !== undefined && /\d/.test(this.#next)) digits += this.#readAny();
    return digits === '' ? undefined : Number(digits);
  }

  #readClass(): CharacterRange[] {
    const isNegated = this.#take('^');
    const ranges: CharacterRange[] = [];
    while (!this.#take(']')) {
      const first = this.#readClassMember();
      const [from, ...others] = first;
      const isRange = this.#next === '-' && this.#characters[this.#at + 1] !== ']';
      if (!isRange || from === undefined || others.length > 0 || from[0] !== from[1]) {
        appendAll(ranges, first);
        continue;
      }
      this.#at += 1;
      const [to, ...more] = this.#readClassMember();
      if (to === undefined || more.length > 0 || to[0] !== to[1] || to[0] < from[0])
        throw new UnreadablePattern();
      ranges.push([from[0], to[0]]);
    }
    return isNegated ? complementOf(ranges) : ranges;
  }

  #readClassMember(): CharacterRange[] {
    const character = this.#readAny();
    return character === '\\' ? this.#readEscape() : [onlyThe(character)];
  }

  #readEscape(): CharacterRange[] {
    const letter = this.#readAny();
    const ranges = CLASS_ESCAPES[letter];
    if (ranges) return ranges;
    const control = CONTROL_ESCAPES[letter];
    if (control !== undefined) return [[control, control]];
    if (letter === 'x') return [this.#readCodePoint(2)];
    if (letter === 'u') return [this.#readUnicodeEscape()];
    // Other letters and digits mean assertions, properties and backreferences; the rest stand for themselves.
    if (/[A-Za-z0-9]/.test(letter)) throw new UnreadablePattern();
    return [onlyThe(letter)];
  }

  #readUnicodeEscape(): CharacterRange {
    if (!this.#take('{')) return this.#readCodePoint(4);
    const end = this.#characters.indexOf('}', this.#at);
    if (end < 0) throw new UnreadablePattern();
    const range = this.#readCodePoint(end - this.#at);
    this.#at += 1;
    return range;
  }

  #readCodePoint(digits: number): CharacterRange {
    const hex = this.#characters.slice(this.#at, this.#at + digits).join('');
    this.#at += digits;
    const code =
      /^[0-9a-f]{1,6}$/i.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : Number.NaN;
    // Half of a surrogate pair is no character.
    if (!(code <= LAST_CODE_POINT) || (code >= 0xd800 && code <= 0xdfff)) throw new UnreadablePattern();
    return [code, code];
  }
}

function onlyThe(character: string): CharacterRange {
  const code = character.codePointAt(0) ?? 0;
  return [code, code];
}
