import { appendAll } from '../../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { type Edit, setField } from '../json-places.ts';
import type { CallNumbers } from './call-numbers.ts';

/*
 * What servers of OpenAI's kin leave out or say otherwise, and its clients stumble over: no list of choices or none in it, no
 * index of a choice or of a tool call (or the same one for all), arguments as an object, no delta (Azure's content filter), a `stop` where tools are to be called. Mended in the
 * bytes, and nothing else of them.
 */

/** What must be known of one choice of a stream to mend what comes of it later. */
export interface SeenChoice {
  /** The server said why it ended. */
  isFinished: boolean;
  callsTools: boolean;
  calls: CallNumbers;
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
    if (!isObject(call)) continue;
    const callPath = [...path, 'delta', 'tool_calls', position];
    const number = seen.calls.numberOf(call);
    if (call['index'] !== number) edits.push(setField(json, callPath, call, 'index', String(number)));
    appendAll(edits, mendArguments(json, callPath, call));
  }
  return [...edits, ...mendFinish(json, path, choice, seen.callsTools)];
}

/** Arguments are JSON text; some servers give the object itself. */
export function mendArguments(
  json: Buffer,
  callPath: readonly (string | number)[],
  call: JsonObject,
): Edit[] {
  const { function: called } = call;
  if (!isObject(called) || !isObject(called['arguments'])) return [];
  const { span } = setField(json, [...callPath, 'function'], called, 'arguments', '');
  // With the digits and the spaces that it came with.
  const text = JSON.stringify(json.subarray(span.start, span.end).toString());
  return [{ span, text }];
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
