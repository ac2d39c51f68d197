import { isObject } from '../conversation/json.ts';
import type { ConfigDocument, Place } from './document.ts';
import { type ConfigPath, formatPath, valueAt } from './path.ts';
import type { ConfigProblem } from './problem.ts';
import { accepts, isSensitivePath } from './schema-path.ts';
import { readPlainScalar } from './substitute.ts';
import { suggest } from './suggest.ts';

/** Something wrong at a path, before it is known where that is in the file and whether the value may be shown. */
export interface Finding {
  path: ConfigPath;
  message: string;
  /** Appends `, found …`: the value, or only what kind of thing it is. */
  found?: 'value' | 'kind';
  /** What the value could have been meant to be, for a suggestion. */
  candidates?: readonly string[];
  /** Points at the key of the mapping instead of its value. */
  at?: 'key';
  /** Leaves the last key out of the path that is shown. */
  hideKey?: boolean;
  /** What is stored already is in force all the same, without what this is about. */
  isIdle?: boolean;
}

/** Turns findings into problems, in the order of the file. */
export function reportFindings(
  findings: readonly Finding[],
  document: ConfigDocument,
  file: string,
): ConfigProblem[] {
  const placed = findings.map((finding) => ({ finding, place: document.locate(finding.path, finding.at) }));
  placed.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  return placed.map(({ finding, place }) => ({
    file,
    line: place.line,
    column: place.column,
    path: showPath(finding),
    message: describe(finding, valueAt(document.value, finding.path), place),
  }));
}

function showPath({ path, hideKey }: Finding): string {
  const shown = hideKey ? path.slice(0, -1) : path;
  return formatPath(
    shown.map((step) => (typeof step === 'string' && looksSecret(step) ? '(not shown)' : step)),
  );
}

function describe(finding: Finding, value: unknown, place: Place): string {
  if (finding.found === undefined) return finding.message;
  const shown = finding.found === 'value' && !isSensitivePath(finding.path);
  return `${finding.message}, found ${describeFound(value, place, shown)}${hint(finding, value, place)}`;
}

function hint({ path, candidates }: Finding, value: unknown, place: Place): string {
  const fromEnvironment = place.variables.length > 0;
  if (isBare(value) && accepts(path, String(value))) {
    return fromEnvironment ? '; put the placeholder in quotes' : '; put it in quotes';
  }
  if (place.quoted && typeof value === 'string') {
    const unquoted = readPlainScalar(value);
    if (unquoted !== value && accepts(path, unquoted)) {
      return fromEnvironment
        ? '; write the placeholder without quotes, outside of { } and [ ]'
        : '; write it without quotes';
    }
  }
  // A suggestion would tell something about the hidden value that it is near to.
  if (candidates === undefined || typeof value !== 'string' || fromEnvironment) return '';
  const meant = suggest(value, candidates);
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}

/** Types that YAML reads out of text without quotes. */
function isBare(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

const MOST_SHOWN_CHARACTERS = 60;

function describeFound(value: unknown, place: Place, shown: boolean): string {
  if (value === undefined) return 'nothing';
  if (place.variables.length > 0) {
    const names = place.variables.map((name) => `\${${name}}`).join(' and ');
    return `the value of ${names} (not shown)`;
  }
  if (value === null) return 'nothing after the colon';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isObject(value)) return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  if (!shown || (typeof value === 'string' && looksSecret(value))) {
    return `${typeof value === 'string' ? 'text' : `a ${typeof value}`} (not shown)`;
  }
  const written = JSON.stringify(value);
  return written.length > MOST_SHOWN_CHARACTERS ? `${written.slice(0, MOST_SHOWN_CHARACTERS)}…` : written;
}

/** The beginning of a known kind of credential, a URL with a password, or a long run without words. */
const SECRET_SHAPES = [
  /(?:^|[^A-Za-z0-9])(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx)[-_]/,
  /(?:^|[^A-Za-z0-9])(?:AIza|AKIA|ya29|eyJ|Bearer )/,
  /:\/\/[^/]*@/,
  /[A-Za-z0-9_+=]{24}/,
];

/** Whether a secret may stand where none is expected. */
function looksSecret(value: string): boolean {
  return SECRET_SHAPES.some((shape) => shape.test(value));
}
