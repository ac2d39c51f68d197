import type { JsonValue } from '../conversation/json.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Substitution {
  text: string;
  /** Names of the variables that were put in, in order; empty where only escapes were resolved. */
  variables: string[];
  /** What is wrong with the placeholders, in words for the user; empty where all is well. */
  mistakes: string[];
}

/** An escape, a well-formed placeholder, or the start of a malformed one. */
const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}|\$\{/g;

/**
 * Puts environment variables into the text of one scalar: `${VAR}` is the variable, `${VAR:-default}` the default
 * where it is unset or empty (as in a shell), `$${` a literal `${`. What is put in is not looked at again, so a
 * variable's value can neither name another variable nor open an escape.
 */
export function substitute(source: string, env: Environment): Substitution {
  const variables: string[] = [];
  const mistakes: string[] = [];
  const text = source.replace(PLACEHOLDER, (match, name?: string, fallback?: string) => {
    if (match === '$${') return '${';
    if (name === undefined) {
      mistakes.push(`malformed placeholder: write \${NAME} or \${NAME:-default}, and $\${ for a literal \${`);
      return match;
    }
    const value = env[name];
    if (fallback === undefined && value === undefined) {
      mistakes.push(`the environment variable ${name} is not set: set it, or write \${${name}:-default}`);
      return match;
    }
    variables.push(name);
    return fallback === undefined || (value !== undefined && value !== '')
      ? (value ?? '')
      : fallback.slice(2);
  });
  return { text, variables, mistakes };
}

/** What plain text means in the core schema of YAML 1.2.2 (section 10.3.2), except `.inf` and `.nan`. */
const PLAIN_TYPES: readonly { pattern: RegExp; read(text: string): JsonValue }[] = [
  { pattern: /^(?:~|null|Null|NULL|)$/, read: () => null },
  { pattern: /^(?:true|True|TRUE)$/, read: () => true },
  { pattern: /^(?:false|False|FALSE)$/, read: () => false },
  { pattern: /^0o[0-7]+$/, read: Number },
  { pattern: /^0x[0-9a-fA-F]+$/, read: Number },
  { pattern: /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/, read: Number },
];

/** Types the text of a plain scalar as YAML would have, had it stood in the file: always a scalar. */
export function readPlainScalar(text: string): JsonValue {
  const row = PLAIN_TYPES.find(({ pattern }) => pattern.test(text));
  const value = row === undefined ? text : row.read(text);
  return typeof value === 'number' && !Number.isFinite(value) ? text : value;
}
