/**
 * Stop sequences, looked for all at once in a text that comes in pieces (Aho and Corasick, "Efficient string matching", 1975): each character
 * is looked at once, however many and long the sequences are.
 *
 * A text stops where the first of them is complete, as it does where a model writes it letter by letter; of several that end there the longest
 * is what was met. Empty ones are never met.
 */
export class StopSearch {
  /** By a node and the next character, the node that they lead to; node 0 is the beginning. */
  readonly #next = new Map<number, number>();
  /** By node: how much of a sequence was read there, where to go on when its next character does not come, and what ends there. */
  readonly #depths = [0];
  readonly #fallbacks = [0];
  readonly #ends: (string | undefined)[] = [undefined];

  constructor(sequences: readonly string[]) {
    for (const sequence of sequences) if (sequence !== '') this.#add(sequence);
    this.#connect();
  }

  /** Where `character` leads to from what was read before. */
  step(node: number, character: number): number {
    let from = node;
    for (;;) {
      const next = this.#next.get(edge(from, character));
      if (next !== undefined) return next;
      if (from === 0) return 0;
      from = this.#fallbacks[from] ?? 0;
    }
  }

  /** How many of the last characters begin a sequence, and may be all of one. */
  depth(node: number): number {
    return this.#depths[node] ?? 0;
  }

  /** The longest sequence that ends here. */
  end(node: number): string | undefined {
    return this.#ends[node];
  }

  #add(sequence: string): void {
    let node = 0;
    for (let at = 0; at < sequence.length; at += 1) {
      const key = edge(node, sequence.charCodeAt(at));
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#depths.push(at + 1) - 1;
        this.#fallbacks.push(0);
        this.#ends.push(undefined);
        this.#next.set(key, next);
      }
      node = next;
    }
    this.#ends[node] = sequence;
  }

  /** Nodes that are less deep first: what a node falls back to is one of them. */
  #connect(): void {
    const edges = [...this.#next].map(([key, to]) => ({
      from: Math.floor(key / CHARACTERS),
      character: key % CHARACTERS,
      to,
    }));
    edges.sort((a, b) => this.depth(a.to) - this.depth(b.to));
    for (const { from, character, to } of edges) {
      const fallback = from === 0 ? 0 : this.step(this.#fallbacks[from] ?? 0, character);
      this.#fallbacks[to] = fallback;
      this.#ends[to] ??= this.#ends[fallback];
    }
  }
}

/** UTF-16 units. */
const CHARACTERS = 65_536;

function edge(node: number, character: number): number {
  return node * CHARACTERS + character;
}

export interface StopMatch {
  sequence: string;
  /** How much of the piece belongs to what is before its end. */
  end: number;
}

/** Reads one text for a search. */
export class StopReader {
  readonly #search: StopSearch;
  #node = 0;

  constructor(search: StopSearch) {
    this.#search = search;
  }

  /** The first sequence that a piece completes. Nothing is read behind it. */
  read(piece: string): StopMatch | undefined {
    for (let at = 0; at < piece.length; at += 1) {
      this.#node = this.#search.step(this.#node, piece.charCodeAt(at));
      const sequence = this.#search.end(this.#node);
      if (sequence !== undefined) return { sequence, end: at + 1 };
    }
    return undefined;
  }

  /** How many of the last characters may be the beginning of a sequence. */
  get open(): number {
    return this.#search.depth(this.#node);
  }

  /** What comes is no more of the text before it. */
  reset(): void {
    this.#node = 0;
  }
}
