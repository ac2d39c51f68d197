import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { messagesIn, textIn } from './proto.ts';

/*
 * Arguments that are streamed piece by piece (Vertex, `streamFunctionCallArguments`): each piece names its place by
 * a JSON path and adds a value there; strings may go on in the next piece. Source: Vertex AI API reference,
 * `PartialArg`; RFC 9535 for the paths.
 */

type Step = string | number;

/** Arguments nested deeper are no model's. */
const MAX_STEPS = 64;

/** A container while it is built. Maps, because an argument may be called `__proto__`. */
type Node = JsonValue | Map<Step, Node> | undefined;

/** Adds up the pieces of one call's arguments. */
export class PartialArgs {
  readonly #root = new Map<Step, Node>();
  #empty = true;

  /** `functionCall`: its `args` (whole) and `partialArgs` (pieces) are taken in. */
  add(functionCall: JsonObject): void {
    const { args } = functionCall;
    if (typeof args === 'object' && args !== null && !Array.isArray(args)) {
      for (const [key, value] of Object.entries(args)) this.#root.set(key, value);
      this.#empty = false;
    }
    for (const piece of messagesIn(functionCall, 'partialArgs')) this.#addPiece(piece);
  }

  /** The arguments as JSON text. */
  toString(): string {
    return this.#empty ? '{}' : JSON.stringify(toJson(this.#root, false));
  }

  #addPiece(piece: JsonObject): void {
    const steps = parsePath(textIn(piece, 'jsonPath') ?? '');
    const last = steps.pop();
    const value = pieceValue(piece);
    if (last === undefined || value === undefined || steps.length > MAX_STEPS) return;
    this.#empty = false;
    let at = this.#root;
    for (const step of steps) {
      const next = at.get(step);
      const child = next instanceof Map ? next : new Map<Step, Node>();
      at.set(step, child);
      at = child;
    }
    const before = at.get(last);
    at.set(last, typeof before === 'string' && typeof value === 'string' ? before + value : value);
  }
}

function pieceValue(piece: JsonObject): JsonValue | undefined {
  for (const field of ['stringValue', 'numberValue', 'boolValue']) {
    const value = piece[field];
    if (value !== undefined && value !== null) return value;
  }
  return piece['nullValue'] === undefined ? undefined : null;
}

/** Number steps make a list, in their order; gaps close, so that no index can ask for a huge list. */
function toJson(node: Node, isList: boolean): JsonValue {
  if (!(node instanceof Map)) return node ?? null;
  if (isList) {
    const entries = [...node].toSorted(([a], [b]) => Number(a) - Number(b));
    return entries.map(([, child]) => toJson(child, holdsList(child)));
  }
  return Object.fromEntries([...node].map(([key, child]) => [key, toJson(child, holdsList(child))]));
}

function holdsList(node: Node): boolean {
  return node instanceof Map && [...node.keys()].every((key) => typeof key === 'number');
}

/** A singular JSON path: `$.recipe.ingredients[0]['unit price']`. */
function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  for (const [, name, index, quoted] of path.matchAll(
    /\.([^.[\]]+)|\[(\d{1,9})\]|\[((?:"(?:[^"\\]|\\.)*")|(?:'(?:[^'\\]|\\.)*'))\]/gs,
  )) {
    if (name !== undefined) steps.push(name);
    else if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(quoted.slice(1, -1).replace(/\\(.)/gs, '$1'));
  }
  return steps;
}
