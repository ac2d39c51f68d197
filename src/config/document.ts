import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Finding } from './finding.ts';
import type { ConfigPath } from './path.ts';
import { type Environment, readPlainScalar, substitute } from './substitute.ts';
import { findSyntaxErrors, type SyntaxFinding } from './yaml-syntax.ts';

/** A position in the file, and how what stands there was written. */
export interface Place {
  /** From 1. */
  line: number;
  column: number;
  /** Environment variables that are part of the value. */
  variables: readonly string[];
  quoted: boolean;
}

/** A config file read as YAML (or JSON, which is YAML), with the environment's variables put in. */
export interface ConfigDocument {
  /** `undefined` where the file is no YAML, or a bomb. */
  readonly value: JsonValue | undefined;
  /** The same with the placeholders as they were written. */
  readonly written: JsonValue | undefined;
  readonly syntax: readonly SyntaxFinding[];
  /** What is wrong before any schema is asked: variables, duplicate keys, aliases. */
  readonly findings: readonly Finding[];
  /** Where a path is in the file; its nearest parent that is, for what was not written. */
  locate(path: ConfigPath, at?: 'key'): Place;
}

/** What aliases may add to the file, in nodes: enough for any real config, too little for an alias bomb. */
const MOST_ALIASED_NODES = 100_000;

export function readDocument(text: string, env: Environment): ConfigDocument {
  const lines = new LineCounter();
  const parsed = parseDocument(quoteTrailingColon(text), {
    lineCounter: lines,
    // The library's pretty messages quote the source, which may hold a secret.
    prettyErrors: false,
    schema: 'core',
    stringKeys: true,
    // Its check compares every key with every other; the reader below has a set.
    uniqueKeys: false,
  });
  const syntax = findSyntaxErrors(parsed, text, lines);
  if (syntax.length > 0)
    return { value: undefined, written: undefined, syntax, findings: [], locate: () => START };
  const reader = new DocumentReader(parsed, env);
  // An empty file says nothing, which is allowed to be all there is to say.
  const read = parsed.contents === null ? EMPTY : reader.read(parsed.contents, []);
  return {
    value: reader.isExhausted() ? undefined : read.value,
    written: reader.isExhausted() ? undefined : read.written,
    syntax,
    findings: reader.findings,
    locate: (path, at) => reader.locate(path, at, lines),
  };
}

/** A file of comments says as little as an empty one: somebody began to write it, or put all of it aside. */
export function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^(?:---|\.\.\.)?\s*(?:#|$)/.test(line.trimStart()));
}

/** What is said where a blank file would take everything away. */
export const BLANK_FILE = 'is empty: write {} for a configuration that says nothing';

/**
 * `state: memory:` is no YAML, strictly: the colon at the end opens a mapping. It is how the words are written
 * everywhere else, so they may be written so here too. Nothing but a comment follows, so positions stay right.
 */
function quoteTrailingColon(text: string): string {
  return text.replace(/^(state|store):([ \t]+)((?:memory|sqlite::memory):)(?=[ \t]*(?:#|$))/gm, '$1:$2"$3"');
}

const START: Place = { line: 1, column: 1, variables: [], quoted: false };

function positionAt(lines: LineCounter, offset: number): Pick<Place, 'line' | 'column'> {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function startOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}

function isPlain(node: Scalar): boolean {
  return node.type === Scalar.PLAIN && node.tag === undefined;
}

/** The text of the key: `stringKeys` makes every key that parses a string. */
function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

/** `<<` of YAML 1.1, which everybody writes although 1.2 dropped it. In quotes it is a key like any other. */
function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && isPlain(pair.key);
}

/** A node and, in a mapping, the key before it. */
interface Entry {
  key: Node | null;
  value: Node | null;
}

interface ReadValue {
  value: JsonValue;
  /** The value with its placeholders; the same object where it has none. */
  written: JsonValue;
  /** Nodes in it, those from aliases included. */
  nodes: number;
}

function isMergeable(entry: {
  value: JsonValue;
  written: JsonValue | undefined;
}): entry is { value: JsonObject; written: JsonObject } {
  return isObject(entry.value) && isObject(entry.written);
}

/** A key, list item or alias with nothing behind it. */
const NOTHING: ReadValue = { value: null, written: null, nodes: 1 };

const EMPTY: ReadValue = { value: {}, written: {}, nodes: 1 };

/** Walks the nodes of one file once to read them, and again along a path to find where something was written. */
class DocumentReader {
  readonly findings: Finding[] = [];
  readonly #root: Node | null;
  readonly #env: Environment;
  /** What has an anchor so far: a later anchor of the same name replaces an earlier one, as YAML wants. */
  readonly #anchors = new Map<string, { node: Node; read: ReadValue }>();
  readonly #aliased = new Map<Alias, Node>();
  #aliasedNodes = 0;

  constructor(document: Document, env: Environment) {
    this.#root = document.contents;
    this.#env = env;
  }

  isExhausted(): boolean {
    return this.#aliasedNodes > MOST_ALIASED_NODES;
  }

  read(node: Node, path: ConfigPath): ReadValue {
    if (isAlias(node)) return this.#readAlias(node, path);
    const read = this.#readNode(node, path);
    // Only now: an alias inside of what its own anchor names leads nowhere, instead of round in circles.
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, { node, read });
    return read;
  }

  #readNode(node: Node, path: ConfigPath): ReadValue {
    if (isMap(node)) return this.#readMap(node, path);
    if (isScalar(node)) {
      const value = this.#readScalar(node, path);
      const hasPlaceholder = typeof node.value === 'string' && node.value.includes('${');
      return { value, written: hasPlaceholder ? String(node.value) : value, nodes: 1 };
    }
    if (!isSeq(node)) throw new TypeError('a YAML node that is neither mapping, list, scalar nor alias');
    let nodes = 1;
    const entries = node.items.map((item, index) => {
      // `- ` with nothing behind it has no node.
      const entry = isNode(item) ? this.read(item, [...path, index]) : NOTHING;
      nodes += entry.nodes;
      return entry;
    });
    const value = entries.map((entry) => entry.value);
    const isAsWritten = entries.every((entry) => entry.written === entry.value);
    return { value, written: isAsWritten ? value : entries.map((entry) => entry.written), nodes };
  }

  /** Values are shared, not copied: they are never changed, and a bomb of aliases costs nothing to read. */
  #readAlias(alias: Alias, path: ConfigPath): ReadValue {
    const anchor = this.#anchors.get(alias.source);
    if (anchor === undefined) {
      // Not by its name: text that starts with * and lacks quotes is read as an alias.
      this.#find(
        path,
        'an alias (*NAME) without its anchor (&NAME) before it; text that starts with * needs quotes',
      );
      return NOTHING;
    }
    this.#aliased.set(alias, anchor.node);
    if (this.isExhausted()) return NOTHING;
    this.#aliasedNodes += anchor.read.nodes;
    if (this.isExhausted())
      this.#find(path, `aliases add more than ${MOST_ALIASED_NODES} values to the file`);
    return anchor.read;
  }

  #readMap(map: YAMLMap, path: ConfigPath): ReadValue {
    const value: JsonObject = {};
    const written: JsonObject = {};
    const inherited: { value: JsonObject; written: JsonObject }[] = [];
    let isAsWritten = true;
    let nodes = 1;
    for (const pair of map.items) {
      const key = keyOf(pair);
      const keyPath = [...path, key];
      const entry = isNode(pair.value) ? this.read(pair.value, keyPath) : NOTHING;
      nodes += entry.nodes;
      if (isMerge(pair)) {
        appendAll(inherited, this.#mergedMappings(entry, keyPath));
      } else if (key === '__proto__') {
        this.#find(keyPath, '__proto__ is no name that can be used', 'key');
      } else if (Object.hasOwn(value, key)) {
        this.#find(keyPath, 'the same key stands above already', 'key');
      } else {
        if (key.includes('${')) this.#find(keyPath, 'variables are not put into keys', 'key');
        value[key] = entry.value;
        written[key] = entry.written;
        isAsWritten &&= entry.written === entry.value;
      }
    }
    // What is written goes before what is merged in, and an earlier merge before a later one.
    for (const source of inherited) {
      isAsWritten &&= source.value === source.written;
      for (const [key, entry] of Object.entries(source.value)) {
        if (Object.hasOwn(value, key)) continue;
        value[key] = entry;
        written[key] = source.written[key];
      }
    }
    return { value, written: isAsWritten ? value : written, nodes };
  }

  #mergedMappings(read: ReadValue, path: ConfigPath): { value: JsonObject; written: JsonObject }[] {
    const values = Array.isArray(read.value) ? read.value : [read.value];
    const writings = Array.isArray(read.written) ? read.written : [read.written];
    const mappings = values.map((value, index) => ({ value, written: writings[index] }));
    if (mappings.every(isMergeable)) return mappings;
    this.#find(path, '<< takes the alias of a mapping, or a list of such', 'key');
    return [];
  }

  #readScalar(node: Scalar, path: ConfigPath): JsonValue {
    const { value } = node;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      this.#find(path, 'expected a finite number');
      return null;
    }
    if (typeof value !== 'string')
      return typeof value === 'number' || typeof value === 'boolean' ? value : null;
    if (!value.includes('${')) return value;
    const { text, variables, mistakes } = substitute(value, this.#env);
    for (const mistake of mistakes) this.#find(path, mistake);
    return isPlain(node) && variables.length > 0 ? readPlainScalar(text) : text;
  }

  #find(path: ConfigPath, message: string, at?: 'key'): void {
    this.findings.push({ path, message, ...(at && { at }) });
  }

  locate(path: ConfigPath, at: 'key' | undefined, lines: LineCounter): Place {
    let node: Node | null = this.#root;
    let offset = startOf(node) ?? 0;
    for (const [index, step] of path.entries()) {
      const found = this.#child(node, step);
      // Not written: its parent is where it is missing.
      if (found === undefined) return { ...positionAt(lines, offset), variables: [], quoted: false };
      const pointsAtKey = at === 'key' && index === path.length - 1;
      // A mapping or list is better found by its name than by its first entry, lines below.
      const preferred = pointsAtKey || isCollection(found.value) ? found.key : found.value;
      offset = startOf(preferred) ?? startOf(found.value) ?? startOf(found.key) ?? offset;
      node = found.value;
    }
    return { ...positionAt(lines, offset), ...this.#writing(node) };
  }

  #writing(node: Node | null): Pick<Place, 'variables' | 'quoted'> {
    const target = isAlias(node) ? this.#aliased.get(node) : node;
    if (!isScalar(target)) return { variables: [], quoted: false };
    const variables = typeof target.value === 'string' ? substitute(target.value, this.#env).variables : [];
    return { variables, quoted: !isPlain(target) };
  }

  #child(parent: Node | null, step: string | number): Entry | undefined {
    const node = isAlias(parent) ? this.#aliased.get(parent) : parent;
    if (isSeq(node) && typeof step === 'number') {
      if (step >= node.items.length) return undefined;
      const item = node.items[step];
      return { key: null, value: isNode(item) ? item : null };
    }
    if (!isMap(node)) return undefined;
    const pair = node.items.find((item) => keyOf(item) === step && !isMerge(item));
    if (pair === undefined) return this.#mergedChild(node, step);
    return { key: isNode(pair.key) ? pair.key : null, value: isNode(pair.value) ? pair.value : null };
  }

  #mergedChild(map: YAMLMap, step: string | number): Entry | undefined {
    for (const pair of map.items.filter(isMerge)) {
      const value = isNode(pair.value) ? pair.value : null;
      const sources = isSeq(value) ? value.items.filter(isNode) : [value];
      for (const source of sources) {
        const found = this.#child(source, step);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}
