import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/** A tool as this dialect names it: by its name within a namespace. */
export interface NamespacedName {
  namespace: string;
  name: string;
}

/** Every provider takes names of 64 characters; custom tools may get a prefix on their way. */
const MAX_LENGTH = 46;

/**
 * Tools that stand in a `namespace`, and the plain names that they go by at providers of other dialects. The names follow
 * from the request's tools alone, so an answer is turned back by the same request.
 *
 * Source: OpenAI API reference (`NamespaceTool`, `ResponseFunctionToolCall.namespace`); recorded traffic.
 */
export class Namespaces {
  readonly #plain = new Map<string, string>();
  readonly #namespaced = new Map<string, NamespacedName>();

  constructor(tools: JsonValue | undefined) {
    const list = Array.isArray(tools) ? tools.filter(isObject) : [];
    const taken = new Set(list.map(({ name }) => name));
    for (const tool of list) {
      if (!isNamespace(tool)) continue;
      const namespace = String(tool['name']);
      for (const { name: inner } of innerTools(tool)) {
        const name = String(inner);
        const plain = freeName(joinNames({ namespace, name }), taken);
        taken.add(plain);
        this.#plain.set(keyOf({ namespace, name }), plain);
        this.#namespaced.set(plain, { namespace, name });
      }
    }
  }

  /** The plain name, also of a tool that is not among the request's any more. */
  plainName(tool: NamespacedName): string {
    return this.#plain.get(keyOf(tool)) ?? joinNames(tool);
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

function freeName(wanted: string, taken: ReadonlySet<JsonValue | undefined>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`;
  return name;
}

function keyOf({ namespace, name }: NamespacedName): string {
  return JSON.stringify([namespace, name]);
}
