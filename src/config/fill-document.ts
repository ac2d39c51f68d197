import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Finding } from './finding.ts';
import type { ConfigPath } from './path.ts';
import { accepts } from './schema-path.ts';
import { type Environment, readPlainScalar, substitute } from './substitute.ts';

/**
 * Fills the placeholders of a document that is JSON in. JSON has no text without quotes, by which a file tells `"8080"`
 * from `8080`: what is put in is text where its field takes text, and else what it would be in a file.
 */
export function fillDocument(
  written: JsonValue,
  env: Environment,
): { value: JsonValue; findings: Finding[] } {
  const findings: Finding[] = [];
  return { value: fill(written, [], env, findings), findings };
}

/** What has no placeholder anywhere is given back as it is, not copied. */
function fill(written: JsonValue, path: ConfigPath, env: Environment, findings: Finding[]): JsonValue {
  if (typeof written === 'string') return fillText(written, path, env, findings);
  if (Array.isArray(written)) {
    const filled = written.map((entry, index) => fill(entry, [...path, index], env, findings));
    return filled.every((entry, index) => entry === written[index]) ? written : filled;
  }
  if (!isObject(written)) return written;
  let copy: JsonObject | undefined;
  for (const [key, entry] of Object.entries(written)) {
    if (entry === undefined) continue;
    const filled = fill(entry, [...path, key], env, findings);
    if (filled === entry) continue;
    copy ??= { ...written };
    copy[key] = filled;
  }
  return copy ?? written;
}

function fillText(written: string, path: ConfigPath, env: Environment, findings: Finding[]): JsonValue {
  if (!written.includes('${')) return written;
  const { text, variables, mistakes } = substitute(written, env);
  for (const message of mistakes) findings.push({ path, message });
  if (variables.length === 0 || accepts(path, text)) return text;
  const typed = readPlainScalar(text);
  return accepts(path, typed) ? typed : text;
}
