import type { Tool } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { NAMESPACE, responsesExtra } from './extra.ts';
import { innerTools, isNamespace, keyOf, type Namespaces } from './namespaces.ts';

/*
 * A search for tools that the client makes itself (Codex): a call of it comes as an item of its own, and what the client finds are
 * definitions of tools, which may be called from there on. To other dialects it is a function, its calls and results are those of a function, and
 * what was found are tools like others (`additional-tools.ts`).
 *
 * Source: OpenAI API reference (`ToolSearchTool`, `ResponseToolSearchCall`, `ResponseToolSearchOutputItemParam`), guide "Tool search"
 * (client-executed); recorded traffic.
 */

/** The function's name. A caller's own tool of that name would be taken for it, so that there is none then. */
export const SEARCH_TOOL = 'tool_search';

export function isClientSearch(tool: JsonValue): tool is JsonObject {
  return isObject(tool) && tool['type'] === 'tool_search' && tool['execution'] === 'client';
}

/** Whether a request offers one search that its client makes. */
export function offersSearch({ tools }: JsonObject): boolean {
  const list = Array.isArray(tools) ? tools : [];
  const isNamesake = (tool: JsonValue) => isObject(tool) && tool['name'] === SEARCH_TOOL;
  return list.filter(isClientSearch).length === 1 && !list.some(isNamesake);
}

/** The function that stands for it; this dialect's own encoder takes the tool as it came. */
export function searchFunction(tool: JsonObject): Tool {
  const { description, parameters } = tool;
  const extra = responsesExtra({ [NAMESPACE]: tool });
  return {
    type: 'function',
    name: SEARCH_TOOL,
    ...(typeof description === 'string' ? { description } : {}),
    ...(isObject(parameters) ? { schema: parameters } : {}),
    ...(extra ? { extra } : {}),
  };
}

/** The ids of the searches that a client made and answered. What stands alone is nothing that could be told elsewhere. */
export function answeredSearches(items: readonly JsonValue[]): ReadonlySet<string> {
  const called = new Set<string>();
  const answered = new Set<string>();
  for (const item of items) {
    if (!isObject(item) || item['execution'] === 'server') continue;
    const { type, call_id: id } = item;
    if (typeof id !== 'string') continue;
    if (type === 'tool_search_call') called.add(id);
    if (isSearchOutput(item) && called.has(id)) answered.add(id);
  }
  return answered;
}

export function isSearchOutput({ type, execution, tools }: JsonObject): boolean {
  return type === 'tool_search_output' && execution !== 'server' && Array.isArray(tools);
}

/**
 * The tools that a search found and nobody has told of yet: one that is found again is no second one.
 *
 * @param names those of tools that stand in no namespace
 * @param keys those of tools in namespaces (`keyOf`); both get what is new
 */
export function newlyFound(tools: readonly JsonValue[], names: Set<string>, keys: Set<string>): JsonObject[] {
  return tools.filter(isObject).flatMap((tool): JsonObject[] => {
    if (isNamespace(tool)) {
      const namespace = String(tool['name']);
      const found = innerTools(tool).filter((inner) =>
        isNew(keys, keyOf({ namespace, name: String(inner['name']) })),
      );
      return found.length === 0 ? [] : [{ ...tool, tools: found.map(loaded) }];
    }
    const { name } = tool;
    return typeof name === 'string' && !isNew(names, name) ? [] : [loaded(tool)];
  });
}

function isNew(known: Set<string>, key: string): boolean {
  const isFirst = !known.has(key);
  known.add(key);
  return isFirst;
}

/** It was to be found by a search, which it was. */
function loaded({ defer_loading: _, ...tool }: JsonObject): JsonObject {
  return tool;
}

/** What a model is told of a search. */
export function foundText(tools: readonly JsonValue[], namespaces: Namespaces): string {
  const names = tools.filter(isObject).flatMap((tool): string[] => {
    if (!isNamespace(tool)) return typeof tool['name'] === 'string' ? [tool['name']] : [];
    const namespace = String(tool['name']);
    return innerTools(tool).map(({ name }) => namespaces.plainName({ namespace, name: String(name) }));
  });
  return names.length === 0 ? 'No tool was found.' : `These tools can be called now: ${names.join(', ')}`;
}
