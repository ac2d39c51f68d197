import { isObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { EventReader } from '../upstream/event-reader.ts';

/** What the events of a prompt's output make up: the output, or as much of its text as had come; `undefined` where nothing had. */
export function collectOutput(bytes: Buffer): JsonValue | undefined {
  const reader = new EventReader();
  let text: string | undefined;
  for (const { event, data } of [...reader.push(bytes), ...reader.end()]) {
    const said = tryParseJson(data);
    if (!isObject(said)) continue;
    if (event === 'output') return said['output'];
    const delta = said['text'] ?? said['partial_json'];
    if (event === 'delta' && typeof delta === 'string') text = (text ?? '') + delta;
  }
  return text;
}
