import type { ConfigDocument } from '../config/document.ts';
import { type Finding, reportFindings } from '../config/finding.ts';
import { valueAt } from '../config/path.ts';
import type { ConfigProblem } from '../config/problem.ts';
import { type Environment, substitute } from '../config/substitute.ts';
import type { JsonValue } from '../conversation/json.ts';

export interface Unplaced {
  /** With the placeholders filled in. */
  value: JsonValue;
  written: JsonValue;
  env: Environment;
  /** Who declares what a finding is about. */
  ownerOf(finding: Finding): string;
}

/** Findings as problems of a document that has no lines: one that is stored, or was sent. */
export function describeUnplaced(
  findings: readonly Finding[],
  { value, written, env, ownerOf }: Unplaced,
): ConfigProblem[] {
  const place = { line: 1, column: 1, quoted: false };
  const document: ConfigDocument = {
    value,
    written,
    syntax: [],
    findings: [],
    locate: (path) => {
      const text = valueAt(written, path);
      return { ...place, variables: typeof text === 'string' ? substitute(text, env).variables : [] };
    },
  };
  return findings.flatMap((finding) => {
    const owner = ownerOf(finding);
    return reportFindings([finding], document, '').map(({ path, message }) => ({
      file: owner,
      path,
      message,
    }));
  });
}
