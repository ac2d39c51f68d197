import { tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import type { FieldSpans } from './request-fields.ts';

/**
 * Where a request asks that it be worked on when its answer is over: what that comes to, the answer does not say.
 *
 * Sources: OpenAI API reference (Responses, `background`), xAI API reference (chat, `deferred`).
 */
const BACKGROUND_FIELDS: Record<CallerDialectName, readonly string[]> = {
  chat: ['deferred'],
  responses: ['background'],
  messages: [],
  gemini: [],
};

/** The top-level fields that `findBackground` must be told the places of. */
export function backgroundFieldNames(dialect: CallerDialectName): readonly string[] {
  return BACKGROUND_FIELDS[dialect];
}

/** The parameter by which a request asks for that; `undefined` where it does not. */
export function findBackground(
  body: Buffer,
  spans: FieldSpans,
  dialect: CallerDialectName,
): string | undefined {
  for (const param of BACKGROUND_FIELDS[dialect]) {
    const span = spans[param];
    if (!span) continue;
    const said = tryParseJson(body.toString('utf8', span.start, span.end));
    if (said !== false && said !== null) return param;
  }
  return undefined;
}
