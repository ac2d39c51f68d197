import type { JsonValue } from '../conversation/json.ts';
import type { Finding } from './finding.ts';
import { type ConfigPath, mapChildren } from './path.ts';
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
function fill(
  written: JsonValue,
  path: (string | number)[],
  env: Environment,
  findings: Finding[],
): JsonValue {
  if (typeof written === 'string') return fillText(written, path, env, findings);
  return mapChildren(written, path, (child, at) => fill(child, at, env, findings));
}

function fillText(written: string, path: ConfigPath, env: Environment, findings: Finding[]): JsonValue {
  if (!written.includes('${')) return written;
  const { text, variables, mistakes } = substitute(written, env);
  for (const message of mistakes) findings.push({ path: [...path], message });
  if (variables.length === 0 || accepts(path, text)) return text;
  const typed = readPlainScalar(text);
  return accepts(path, typed) ? typed : text;
}
