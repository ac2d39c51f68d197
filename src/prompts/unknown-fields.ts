import { isObject } from '../conversation/json.ts';
import type { PromptFile } from './prompt-file.ts';

/** A field of a front matter that nothing here reads: a slip, or a word of some other tool. */
export interface UnknownField {
  /** `inputs`, `input.schemas`. */
  field: string;
  line: number | undefined;
}

/** Source: google.github.io/dotprompt, "Prompt files" (front matter); `cache` and what begins with `fairlead.` is ours. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['name', 'variant', 'version', 'description', 'model', 'tools', 'toolDefs', 'config', 'input', 'output'],
  ...['cache', 'metadata', 'ext', 'raw', 'fairlead'],
]);
const KNOWN_WITHIN: Readonly<Record<string, ReadonlySet<string>>> = {
  input: new Set(['schema', 'default']),
  output: new Set(['schema', 'format']),
  fairlead: new Set(['overrides', 'repairs', 'cache']),
};

/** Fields of other tools, which are named as theirs (`genkit.maxTurns`), are not among them. */
export function findUnknownFields({ parsed, lineOf }: PromptFile): UnknownField[] {
  const raw: unknown = parsed.raw;
  const unknown: UnknownField[] = [];
  for (const [field, value] of Object.entries(isObject(raw) ? raw : {})) {
    const [space = '', inner] = field.split('.', 2);
    const isOurs = inner === undefined || space === 'fairlead';
    if (!isOurs) continue;
    const within = KNOWN_WITHIN[space];
    if (!KNOWN.has(space) || (inner !== undefined && !within?.has(inner)))
      unknown.push({ field, line: lineOf([field]) });
    else if (inner === undefined && within && isObject(value))
      for (const one of Object.keys(value))
        if (!within.has(one)) unknown.push({ field: `${field}.${one}`, line: lineOf([field, one]) });
  }
  const { format, schema } = parsed.output ?? {};
  if (format === 'text' && schema !== undefined)
    unknown.push({ field: 'output.schema', line: lineOf(['output', 'schema']) });
  return unknown;
}
