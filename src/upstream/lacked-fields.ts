import { isObject, type JsonValue } from '../conversation/json.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';
import { BETA_HEADER } from './betas.ts';
import { rewriteBody } from './body-fields.ts';
import { withoutScopes } from './cache-scopes.ts';
import type { Surface } from './provider.ts';

export interface LeftOut {
  body: Buffer;
  /** In the words of Anthropic's dialect. */
  dropped: LackedFieldPath[];
}

export type LackedFieldPath = 'output_config.effort' | 'speed' | 'cache_control.scope';

const TOP = new WordTable(['output_config', 'speed']);

/** A body in Anthropic's dialect without the fields that a cloud has not for the model; all other bytes stay. */
export function leaveOutFields(body: Buffer, { lacksFields = [] }: Surface, model: string): LeftOut {
  const left: LeftOut = { body, dropped: [] };
  for (const { path, models } of lacksFields) {
    if (models?.(model) === false) continue;
    const without = LEAVERS[path](left.body);
    if (without === undefined) continue;
    left.body = without;
    left.dropped.push(path);
  }
  return left;
}

/** Each gives the body without the field, `undefined` where it is not there. */
const LEAVERS: Record<LackedFieldPath, (body: Buffer) => Buffer | undefined> = {
  'output_config.effort': (body) => {
    const { output_config: place } = findTopLevelFields(body, TOP);
    const config = place && (parseField(body, place, 'output_config') as JsonValue);
    if (!isObject(config) || config['effort'] === undefined) return undefined;
    const { effort: _, ...rest } = config;
    return rewriteBody(body, { output_config: Object.keys(rest).length > 0 ? rest : undefined });
  },
  speed: (body) =>
    findTopLevelFields(body, TOP)['speed'] ? rewriteBody(body, { speed: undefined }) : undefined,
  'cache_control.scope': withoutScopes,
};

const SEARCHED = ['"defer_loading"', '"tool_search_tool_'].map((word) => Buffer.from(word));

/** Headers with the flag that tools need which are only found by a search, where the body has such and nobody said it. */
export function withSearchFlag(
  headers: string[],
  { searchedToolsBeta: flag }: Surface,
  body: Buffer,
): string[] {
  if (flag === undefined || !SEARCHED.some((word) => body.includes(word))) return headers;
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === BETA_HEADER);
  const said = at < 0 ? '' : (headers[at + 1] ?? '');
  if (said.split(',').includes(flag)) return headers;
  return at < 0
    ? [...headers, BETA_HEADER, flag]
    : headers.with(at + 1, said === '' ? flag : `${said},${flag}`);
}
