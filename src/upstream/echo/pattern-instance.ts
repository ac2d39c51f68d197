import { type CharacterRange, type PatternNode, readPattern } from './pattern.ts';
import type { SchemaScope } from './schema-scope.ts';

/** Characters that read well, tried before the first one that a class happens to hold. */
const PREFERRED = [...'aA1-. '].map((character) => character.codePointAt(0) ?? 0);

/**
 * Strings that match a regular expression, the shortest forms first; none where it cannot be read.
 * What repeats without need is also repeated `extra` times.
 */
export function* proposeMatches(
  pattern: string,
  shortest: number,
  extra: number,
  scope: SchemaScope,
): Generator<string> {
  for (const { node, endsHere } of readPattern(pattern, scope) ?? []) {
    for (const more of [extra, extra + shortest]) {
      const text = writeMatch(node, more, scope);
      if (text === undefined) continue;
      // An expression without `$` still matches when something follows.
      if (!endsHere) scope.spend(shortest);
      yield endsHere ? text : text.padEnd(shortest, 'a');
    }
  }
}

function writeMatch(node: PatternNode, extra: number, scope: SchemaScope): string | undefined {
  scope.spend(1);
  switch (node.type) {
    case 'characters':
      return pickCharacter(node.ranges);
    case 'alternatives':
      return firstDefined(node.nodes, (alternative) => writeMatch(alternative, extra, scope));
    case 'sequence': {
      const pieces = node.nodes.map((piece) => writeMatch(piece, extra, scope));
      return pieces.includes(undefined) ? undefined : pieces.join('');
    }
    case 'repeat': {
      let text = '';
      for (let times = Math.min(node.min + extra, node.max); times > 0; times -= 1) {
        const piece = writeMatch(node.node, extra, scope);
        if (piece === undefined) return node.min === 0 ? '' : undefined;
        scope.spend(piece.length);
        text += piece;
      }
      return text;
    }
    default:
      return node satisfies never;
  }
}

function pickCharacter(ranges: readonly CharacterRange[]): string | undefined {
  const preferred = PREFERRED.find((code) => ranges.some(([first, last]) => first <= code && code <= last));
  const code = preferred ?? ranges[0]?.[0];
  return code === undefined ? undefined : String.fromCodePoint(code);
}

function firstDefined<T, R>(items: readonly T[], make: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const made = make(item);
    if (made !== undefined) return made;
  }
  return undefined;
}
