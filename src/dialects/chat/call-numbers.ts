import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

interface SeenCall {
  /** What clients know it by. */
  number: number;
  /** What the server gave it. */
  index: number | undefined;
  id: string;
  hasArguments: boolean;
}

/**
 * The numbers of one choice's calls in a stream, by which clients put their pieces together. They are the server's own, but where it gives none, or
 * counts every call 0.
 */
export class CallNumbers {
  readonly #calls: SeenCall[] = [];
  #differs = false;

  /** Some of them are not the server's. */
  get differ(): boolean {
    return this.#differs;
  }

  /** The number of the call that a delta goes on with, or begins. */
  numberOf(delta: JsonObject): number {
    const body = isObject(delta['function']) ? delta['function'] : {};
    const index = typeof delta['index'] === 'number' ? delta['index'] : undefined;
    const id = textOf(delta['id']);
    const name = textOf(body['name']);
    const call = this.#find(index, id, name) ?? this.#begin(index, id);
    if (call.id === '') call.id = id;
    if (textOf(body['arguments']) !== '' || isObject(body['arguments'])) call.hasArguments = true;
    if (call.number !== index) this.#differs = true;
    return call.number;
  }

  /** `undefined`: none of those that were seen. */
  #find(index: number | undefined, id: string, name: string): SeenCall | undefined {
    const alike = index === undefined ? this.#calls : this.#calls.filter((call) => call.index === index);
    const named = id === '' ? undefined : alike.find((call) => call.id === id);
    if (named) return named;
    const last = alike.at(-1);
    if (!last) return undefined;
    if (index === undefined) return id !== '' || (last.hasArguments && name !== '') ? undefined : last;
    // An id may come in pieces until there are arguments.
    const isOther =
      id !== '' && last.id !== '' && name !== '' && (last.hasArguments || !id.startsWith(last.id));
    return isOther ? undefined : last;
  }

  #begin(index: number | undefined, id: string): SeenCall {
    const isFree = index !== undefined && this.#calls.every((call) => call.number !== index);
    const next = this.#calls.reduce((least, call) => Math.max(least, call.number + 1), 0);
    const number = isFree ? index : next;
    const call = { number, index, id, hasArguments: false };
    this.#calls.push(call);
    return call;
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
