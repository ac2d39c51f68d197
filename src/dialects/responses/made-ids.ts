import { isObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { MadeIds } from '../pass-through.ts';
import { findTopLevelFields } from '../request-fields.ts';

const OUTPUT = new Set(['output']);

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

/** The same for a whole answer, of which only the output is parsed. */
export function readMadeIds(body: Buffer): MadeIds {
  const { output } = findTopLevelFields(body, OUTPUT);
  return madeIds(output && tryParseJson(body.toString('utf8', output.start, output.end)));
}
