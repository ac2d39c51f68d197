import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/** A tool as this dialect names it: by its name within a namespace. */
export interface NamespacedName {
  namespace: string;
  name: string;
}

/** Every provider takes names of 64 characters; custom tools may get a prefix on their way. */
const MAX_LENGTH = 46;
/** What is left of a name that gets a number: seven digits have room behind it. */
const NUMBERED_LENGTH = 40;

/**
 * Tools that stand in a `namespace`, and the plain names that they go by at providers of other dialects. The names follow
 * from the request's tools alone, so an answer is turned back by the same request.
 *
 * Source: OpenAI API reference (`NamespaceTool`, `ResponseFunctionToolCall.namespace`); recorded traffic.
 */
export class Namespaces {
  readonly #plain = new Map<string, string>();
  readonly #namespaced = new Map<string, NamespacedName>();
  /** Names of the tools that stand in none. */
  readonly #own: ReadonlySet<string>;

  constructor(tools: JsonValue | undefined) {
    const list = Array.isArray(tools) ? tools.filter(isObject) : [];
    const names = new FreeNames(list.map(({ name }) => name));
    this.#own = new Set(
      list.flatMap((tool) => (typeof tool['name'] === 'string' && !isNamespace(tool) ? [tool['name']] : [])),
    );
    for (const tool of list) {
      if (!isNamespace(tool)) continue;
      const namespace = String(tool['name']);
      for (const { name: inner } of innerTools(tool)) {
        const name = String(inner);
        const key = keyOf({ namespace, name });
        if (this.#plain.has(key)) continue;
        const plain = names.take(joinNames({ namespace, name }));
        this.#plain.set(key, plain);
        this.#namespaced.set(plain, { namespace, name });
      }
    }
  }

  /** The plain name, also of a tool that is not among the request's any more. */
  plainName(tool: NamespacedName): string {
    return this.#plain.get(keyOf(tool)) ?? joinNames(tool);
  }

  /** The plain names of all tools that a choice means which says `name` alone: tools in no namespace come first. */
  plainNames(name: string): string[] {
    return this.#own.has(name) ? [name] : this.#plainNamesWhere((tool) => tool.name === name);
  }

  /** Those of a whole namespace. */
  plainNamesIn(namespace: string): string[] {
    return this.#plainNamesWhere((tool) => tool.namespace === namespace);
  }

  #plainNamesWhere(matches: (tool: NamespacedName) => boolean): string[] {
    return [...this.#namespaced].flatMap(([plain, tool]) => (matches(tool) ? [plain] : []));
  }

  /** What a plain name stands for; `undefined` where it is that of another tool. */
  read(plainName: string): NamespacedName | undefined {
    return this.#namespaced.get(plainName);
  }
}

/** Whether a tool is a namespace of functions and custom tools: others could not be offered one by one. */
export function isNamespace(tool: JsonObject): boolean {
  const { type, name, tools } = tool;
  return (
    type === 'namespace' &&
    typeof name === 'string' &&
    Array.isArray(tools) &&
    innerTools(tool).length === tools.length
  );
}

export function innerTools({ tools }: JsonObject): JsonObject[] {
  const list = Array.isArray(tools) ? tools.filter(isObject) : [];
  return list.filter(
    ({ type, name }) => (type === 'function' || type === 'custom') && typeof name === 'string',
  );
}

function joinNames({ namespace, name }: NamespacedName): string {
  return `${namespace}__${name}`.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_LENGTH);
}

/** Names that nobody has yet. Each number of a name is tried once, however many want it. */
class FreeNames {
  readonly #taken: Set<JsonValue | undefined>;
  readonly #lastNumbers = new Map<string, number>();

  constructor(taken: readonly (JsonValue | undefined)[]) {
    this.#taken = new Set(taken);
  }

  take(wanted: string): string {
    let name = wanted;
    const base = wanted.slice(0, NUMBERED_LENGTH);
    let number = this.#lastNumbers.get(base) ?? 1;
    while (this.#taken.has(name)) name = `${base}_${++number}`;
    this.#lastNumbers.set(base, number);
    this.#taken.add(name);
    return name;
  }
}

/** Two tools of one key are one tool to whoever calls them. */
export function keyOf({ namespace, name }: NamespacedName): string {
  return JSON.stringify([namespace, name]);
}
