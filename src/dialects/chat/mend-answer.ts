import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { type Edit, setField } from '../json-places.ts';

/*
 * What servers of OpenAI's kin leave out or say otherwise, and its clients stumble over: no list of choices or none in it, no
 * index of a choice or of a tool call, no delta (Azure's content filter), a `stop` where tools are to be called. Mended in the
 * bytes, and nothing else of them.
 */

/** What must be known of one choice of a stream to mend what comes of it later. */
export interface SeenChoice {
  /** The server said why it ended. */
  isFinished: boolean;
  callsTools: boolean;
  /** The calls whose server does not number them, in order. */
  calls: SeenCall[];
}

interface SeenCall {
  id: string;
  hasArguments: boolean;
}

/**
 * A chunk without a list of choices gets one. It is empty in a chunk of usage, as clients that ask for it know them; in all others
 * clients look at the first choice: there it has one that says nothing. Events of other kinds are left as they are.
 */
export function mendChoices(json: Buffer, chunk: JsonObject): Edit[] {
  const { choices, usage, object } = chunk;
  if (isObject(usage)) return Array.isArray(choices) ? [] : [setField(json, [], chunk, 'choices', '[]')];
  if (Array.isArray(choices) && choices.length > 0) return [];
  if (choices === undefined && object !== CHUNK) return [];
  return [setField(json, [], chunk, 'choices', EMPTY_CHOICE)];
}

const CHUNK = 'chat.completion.chunk';
const EMPTY_CHOICE = '[{"index":0,"delta":{},"finish_reason":null}]';

/** `place`: where the choice stands in the list of choices; `index`: its own number. */
export function mendChoice(
  json: Buffer,
  choice: JsonObject,
  place: number,
  index: number,
  seen: SeenChoice,
): Edit[] {
  const path = ['choices', place];
  const edits: Edit[] = [];
  if (typeof choice['index'] !== 'number') {
    edits.push(setField(json, path, choice, 'index', String(index)));
  }
  if (!isObject(choice['delta'])) edits.push(setField(json, path, choice, 'delta', '{}'));
  for (const [position, call] of toolCallsOf(choice['delta']).entries()) {
    seen.callsTools = true;
    if (!isObject(call) || typeof call['index'] === 'number') continue;
    const callPath = [...path, 'delta', 'tool_calls', position];
    edits.push(setField(json, callPath, call, 'index', String(numberCall(seen.calls, call))));
  }
  return [...edits, ...mendFinish(json, path, choice, seen.callsTools)];
}

/** An answer that calls tools ends so that they are called, as it does where it is translated. */
export function mendFinish(
  json: Buffer,
  path: readonly (string | number)[],
  choice: JsonObject,
  callsTools: boolean,
): Edit[] {
  if (!callsTools || choice['finish_reason'] !== 'stop') return [];
  return [setField(json, path, choice, 'finish_reason', '"tool_calls"')];
}

export function toolCallsOf(message: JsonValue | undefined): JsonValue[] {
  const calls = isObject(message) ? message['tool_calls'] : undefined;
  return Array.isArray(calls) ? calls : [];
}

/** The number of a call that comes without one: by its id, else it goes on with the last, unless a new one begins. */
function numberCall(calls: SeenCall[], delta: JsonObject): number {
  const id = textOf(delta['id']);
  const body = isObject(delta['function']) ? delta['function'] : {};
  let at = id === '' ? calls.length - 1 : calls.findIndex((call) => call.id === id);
  if (at === -1 || (id === '' && calls[at]?.hasArguments && textOf(body['name']) !== '')) {
    at = calls.push({ id, hasArguments: false }) - 1;
  }
  const call = calls[at];
  if (call && textOf(body['arguments']) !== '') call.hasArguments = true;
  return at;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
