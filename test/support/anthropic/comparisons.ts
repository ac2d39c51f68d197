import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';

/** In the order in which the first difference is told. */
const COMPARED = ['model', 'system', 'tools', 'messages'] as const;

/**
 * What of the requests of an account is kept to be compared with later ones, by the ids of their answers. Sources: documentation,
 * "Cache diagnostics"; the official SDK (`DiagnosticsParam`, `CacheMissReason`).
 */
export class Comparisons {
  readonly #requests = new Map<string, JsonObject>();

  /** `diagnostics` of the answer; `undefined` where none was asked for. */
  diagnose(request: JsonObject, id: string): JsonValue | undefined {
    const { diagnostics } = request;
    if (!isObject(diagnostics)) return undefined;
    this.#requests.set(id, request);
    const previousId = diagnostics['previous_message_id'];
    if (typeof previousId !== 'string') return null;
    const previous = this.#requests.get(previousId);
    if (!previous) return { cache_miss_reason: { type: 'previous_message_not_found' } };
    const changed = COMPARED.find((name) => !isBegunBy(request[name], previous[name]));
    if (changed === undefined) return null;
    return { cache_miss_reason: { type: `${changed}_changed`, cache_missed_input_tokens: 1 } };
  }
}

/** Of turns some may have been added. */
function isBegunBy(value: JsonValue | undefined, previous: JsonValue | undefined): boolean {
  if (Array.isArray(value) && Array.isArray(previous)) {
    return JSON.stringify(value.slice(0, previous.length)) === JSON.stringify(previous);
  }
  return JSON.stringify(value) === JSON.stringify(previous);
}
