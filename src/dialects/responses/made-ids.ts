import { isObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { MadeIds } from '../pass-through.ts';

/** The ids in an answer by which later requests can name what it made: its items, the containers that code ran in. */
export function madeIds(output: JsonValue | undefined): MadeIds {
  const items = Array.isArray(output) ? output.filter(isObject) : [];
  return {
    items: items.map(({ id }) => id).filter((id) => typeof id === 'string'),
    containers: [...new Set(items.map((item) => item['container_id']))].filter(
      (id) => typeof id === 'string',
    ),
  };
}

/** The same for a whole answer. */
export function readMadeIds(body: Buffer): MadeIds | 'broken' {
  const answer = tryParseJson(body.toString('utf8'));
  return isObject(answer) ? madeIds(answer['output']) : 'broken';
}
