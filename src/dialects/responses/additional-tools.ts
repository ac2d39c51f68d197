import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { pathOf } from '../read-json.ts';
import { innerTools, isNamespace, keyOf } from './namespaces.ts';
import { isSearchOutput, newlyFound } from './tool-search.ts';

/** A tool of a request, and where it stands in it. */
export interface ToolEntry {
  value: JsonValue;
  path: string;
  /** The item of the input that adds it, from which on it may be called. */
  item?: JsonObject;
}

/**
 * The tools that may be called in answer to a request: those of `tools`, and those that items of its input add, which other
 * dialects have nothing like: what is to be said to their providers comes after all of the items, so to them they are tools like others.
 * An item with a tool by a name that another has is left out: nobody could tell which is meant.
 *
 * Source: OpenAI API reference (`ResponseInputItem.AdditionalTools`: "additional tools made available at this item",
 * `ResponseToolSearchOutputItemParam.tools`: "The loaded tool definitions").
 */
export function toolEntries({ tools, input }: JsonObject): ToolEntry[] {
  const entries = (Array.isArray(tools) ? tools : []).map(
    (value, index): ToolEntry => ({ value, path: pathOf('tools', index) }),
  );
  if (!Array.isArray(input)) return entries;
  const names = new Set(entries.map(({ value }) => nameOf(value)).filter((name) => name !== undefined));
  const keys = new Set(entries.flatMap(({ value }) => keysIn(value)));
  for (const [index, item] of input.entries()) {
    if (!isObject(item)) continue;
    const { tools: said } = item;
    const isSearch = isSearchOutput(item) && Array.isArray(said);
    const added = isSearch ? newlyFound(said, names, keys) : addedTools(item, names);
    for (const [at, tool] of added.entries()) {
      entries.push({ value: tool, path: pathOf(`${pathOf('input', index)}.tools`, at), item });
    }
  }
  return entries;
}

/** The values of those of `toolEntries`. */
export function allTools(request: JsonObject): JsonValue[] {
  return toolEntries(request).map(({ value }) => value);
}

/** The tools of an item that adds any; none where it is no such item, or cannot be said in other words. Takes their names. */
function addedTools(item: JsonObject, names: Set<string>): JsonObject[] {
  if (item['type'] !== 'additional_tools' || item['role'] !== 'developer') return [];
  const { tools } = item;
  if (!Array.isArray(tools) || !tools.every(isObject)) return [];
  const added = tools.map(nameOf).filter((name) => name !== undefined);
  if (new Set(added).size < added.length || added.some((name) => names.has(name))) return [];
  for (const name of added) names.add(name);
  return tools;
}

/** The tools of a namespace. */
function keysIn(tool: JsonValue): string[] {
  if (!isObject(tool) || !isNamespace(tool)) return [];
  const namespace = String(tool['name']);
  return innerTools(tool).map(({ name }) => keyOf({ namespace, name: String(name) }));
}

/** Tools that a provider runs have none, and may stand there twice. */
function nameOf(tool: JsonValue | undefined): string | undefined {
  return isObject(tool) && typeof tool['name'] === 'string' ? tool['name'] : undefined;
}
