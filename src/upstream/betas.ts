import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import type { Surface } from './provider.ts';

export const BETA_HEADER = 'anthropic-beta';

/** The flags that a caller of Anthropic's dialect sent, as far as they are `known`. What is left out is added to `dropped`. */
export function knownBetas(
  headers: Readonly<Record<string, string>> | undefined,
  known: readonly string[],
  dropped: string[],
): string[] {
  const { [BETA_HEADER]: kept } = keepBetas(headers ?? {}, { betas: known }, dropped);
  return kept === undefined ? [] : kept.split(',');
}

/**
 * Headers whose `anthropic-beta` names only flags that are known where they go: a cloud refuses a request for a flag
 * that it does not know. Those that go by another name there are called so. What is left out is added to `dropped`.
 */
export function keepBetas(
  headers: Readonly<Record<string, string>>,
  { betas: known = [], betaNames = {} }: Pick<Surface, 'betas' | 'betaNames'>,
  dropped: string[],
): Record<string, string> {
  const { [BETA_HEADER]: written, ...others } = headers;
  if (written === undefined) return others;
  const flags = written.split(',').map((flag) => flag.trim());
  const nameOf = (flag: string) => (Object.hasOwn(betaNames, flag) ? (betaNames[flag] ?? flag) : flag);
  const kept = [...new Set(flags.map(nameOf).filter((flag) => known.includes(flag)))];
  appendAll(
    dropped,
    flags.filter((flag) => !known.includes(nameOf(flag))).map((flag) => `${BETA_HEADER}: ${flag}`),
  );
  return kept.length === 0 ? others : { ...others, [BETA_HEADER]: kept.join(',') };
}

/** A Converse body with flags beside those that the caller said there itself. Source: Bedrock user guide (`additionalModelRequestFields`). */
export function withBodyBetas(body: JsonObject, flags: readonly string[]): JsonObject {
  if (flags.length === 0) return body;
  const said = body['additionalModelRequestFields'];
  const fields = isObject(said) ? said : {};
  const own = Array.isArray(fields['anthropic_beta']) ? fields['anthropic_beta'] : [];
  const all = [...new Set([...own, ...flags])];
  return { ...body, additionalModelRequestFields: { ...fields, anthropic_beta: all } };
}
