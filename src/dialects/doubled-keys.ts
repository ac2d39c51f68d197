import { isObject, type JsonValue } from '../conversation/json.ts';
import { skipString } from './request-fields.ts';

const QUOTE = 0x22;
const COLON = 0x3a;

/** Whether each key of the body is in what was parsed of it: of one that stands twice a parser takes one, and a provider may take the other. */
export function holdsAllKeys(body: Buffer, parsed: JsonValue): boolean {
  let colons = 0;
  for (let at = 0; at < body.length; ) {
    const byte = body[at];
    if (byte === QUOTE) at = skipString(body, at);
    else {
      if (byte === COLON) colons++;
      at++;
    }
  }
  return colons === countKeys(parsed);
}

function countKeys(value: JsonValue): number {
  let keys = 0;
  if (Array.isArray(value)) for (const item of value) keys += countKeys(item);
  else if (isObject(value)) for (const item of Object.values(value)) keys += 1 + countKeys(item ?? null);
  return keys;
}
