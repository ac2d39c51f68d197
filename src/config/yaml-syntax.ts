import type { Document, ErrorCode, LineCounter } from 'yaml';

export interface SyntaxFinding {
  line: number;
  column: number;
  message: string;
}

/**
 * The parser's errors in our words: its own messages quote the source, where a secret may stand. Codes as in
 * `yaml`'s ErrorCode.
 */
const MESSAGES: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias takes no tag or anchor',
  BAD_ALIAS: 'an alias needs a name that does not end in ":"',
  BAD_COLLECTION_TYPE: 'the tag does not fit a mapping or list',
  BAD_DIRECTIVE: 'a directive (a line that starts with %) that is not understood',
  BAD_DQ_ESCAPE: 'an escape (\\) in double quotes that YAML does not have; single quotes take it as it is',
  BAD_INDENT: 'the indentation does not fit the lines above, or a bracket there is not closed',
  BAD_PROP_ORDER: 'tag and anchor come before the value, on its line',
  BAD_SCALAR_START: 'text cannot start with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " on one line: put the text that holds it in quotes',
  BLOCK_IN_FLOW: 'an indented block cannot stand inside of { } or [ ]',
  DUPLICATE_KEY: 'the same key stands above already',
  IMPOSSIBLE: 'this is not YAML',
  KEY_OVER_1024_CHARS: 'a key of more than 1024 characters',
  MISSING_CHAR: 'a quote, bracket, brace, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line, with ":" behind it',
  MULTIPLE_ANCHORS: 'a value takes one anchor',
  MULTIPLE_DOCS: 'a second document starts here ("---"): a config is one document',
  MULTIPLE_TAGS: 'a value takes one tag',
  NON_STRING_KEY: 'a key must be text',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAB_AS_INDENT: 'a tab cannot indent: use spaces',
  TAG_RESOLVE_FAILED: 'a tag that is not known here, or does not fit its value',
  UNEXPECTED_TOKEN: 'something that YAML does not expect here',
};

const UNQUOTED_PLACEHOLDER = /[{[,:]\s*\$\{/;

/** One finding per line: after the first, a parser often only stumbles on. */
export function findSyntaxErrors(document: Document, text: string, lines: LineCounter): SyntaxFinding[] {
  const sourceLines = text.split('\n');
  const findings = new Map<number, SyntaxFinding>();
  for (const error of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(error.pos[0]);
    if (findings.has(line)) continue;
    const quotesMissing = UNQUOTED_PLACEHOLDER.test(sourceLines[line - 1] ?? '');
    const hint = quotesMissing ? `; inside of { } and [ ] a placeholder needs quotes: "\${NAME}"` : '';
    findings.set(line, { line, column: col, message: `not valid YAML: ${MESSAGES[error.code]}${hint}` });
  }
  return [...findings.values()].sort((a, b) => a.line - b.line);
}
