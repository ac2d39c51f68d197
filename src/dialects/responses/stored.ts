import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { expectKind, omitKeys, optionalField, pathOf } from '../read-json.ts';
import { itemId, responseOfItem } from './ids.ts';

/**
 * What whoever keeps responses (`store`) needs of this dialect. Only items are kept: a response is named by its id,
 * and its whole history is its input and its output.
 *
 * Source: OpenAI API reference (`previous_response_id`, list input items), "Conversation state" guide.
 */
export interface StoredResponse {
  /** All that the model was given, earlier turns included. */
  input: JsonObject[];
  /** The `output` of the response. */
  output: JsonObject[];
}

const RESOLVED = new Set(['previous_response_id']);

/**
 * A request that goes on from an earlier response as one that needs none: the earlier items stand before its own, and
 * references to them are replaced by the items. `instructions` of the earlier request are not carried over.
 *
 * @throws GatewayError `invalid_request` for a reference to an item that is not among the earlier ones.
 */
export function expandRequest(body: JsonObject, earlier: StoredResponse): JsonObject {
  const history = [...earlier.input, ...earlier.output];
  return {
    ...omitKeys(body, RESOLVED),
    input: [...history, ...resolveReferences(inputItems(body), history)],
  };
}

/** `input` as a list of items, whichever form it was given in. */
export function inputItems(body: JsonObject): JsonObject[] {
  const { input } = body;
  if (input === undefined || input === null) return [];
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  return expectKind(input, 'array', 'input').map((item, index) =>
    expectKind(item, 'object', pathOf('input', index)),
  );
}

/** The ids of the responses whose items a request refers to instead of sending them, as far as the items have ids of ours. */
export function referencedResponses(body: JsonObject): Set<string> {
  const ids = new Set<string>();
  for (const item of inputItems(body)) {
    const { type, id } = item;
    const response = type === 'item_reference' && typeof id === 'string' ? responseOfItem(id) : undefined;
    if (response !== undefined) ids.add(response);
  }
  return ids;
}

/** A request with the items in place of the references to them; references to others stay. */
export function resolveItems(body: JsonObject, items: readonly JsonObject[]): JsonObject {
  const known = new Map(items.map((item) => [item['id'], item]));
  const input = inputItems(body).map((item) =>
    item['type'] === 'item_reference' ? (known.get(item['id']) ?? item) : item,
  );
  return { ...body, input };
}

function resolveReferences(items: JsonObject[], history: readonly JsonObject[]): JsonObject[] {
  const known = new Set(history.map(({ id }) => id));
  return items.flatMap((item, index) => {
    if (item['type'] !== 'item_reference') return [item];
    const path = pathOf('input', index);
    const id = optionalField(item, 'id', 'string', path) ?? '';
    // It stands there already.
    if (known.has(id)) return [];
    throw invalidRequest(
      `'${path}' refers to the item '${id}', which the earlier response does not hold.`,
      pathOf(path, 'id'),
      'item_not_found',
    );
  });
}

/**
 * Input items as `GET /v1/responses/ID/input_items` lists them, oldest first: each with an id and its type, message
 * contents as lists of parts. Paging and order are the door's matter.
 */
export function listInputItems(input: readonly JsonObject[], responseId: string): JsonObject[] {
  return input.map((item, index) => {
    const type = typeof item['type'] === 'string' ? item['type'] : 'message';
    const { id = itemId('message', responseId, `in${index}`) } = item;
    if (type !== 'message') return { ...item, id };
    return { id, type, status: 'completed', ...item, content: contentList(item) };
  });
}

function contentList({ role, content }: JsonObject): JsonValue {
  if (typeof content !== 'string') return Array.isArray(content) ? content.filter(isObject) : [];
  return role === 'assistant'
    ? [{ type: 'output_text', text: content, annotations: [] }]
    : [{ type: 'input_text', text: content }];
}
