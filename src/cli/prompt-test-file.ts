import { type Document, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { parseDuration } from '../config/units.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { PromptFileError } from '../prompts/problem.ts';
import { readSchema } from '../prompts/read-schema.ts';

const json: z.ZodType<JsonValue> = z.json() as z.ZodType<JsonValue>;
const object = z.record(z.string(), json) as unknown as z.ZodType<JsonObject>;
const texts = z
  .union([z.string(), z.array(z.string())], { error: 'a text, or a list of texts' })
  .transform((value) => (Array.isArray(value) ? value : [value]));

function isExpression(source: string): boolean {
  try {
    return new RegExp(source, 'u').source !== '';
  } catch {
    return false;
  }
}

const expectations = z
  .strictObject({
    /** Of the output, beside the one that the prompt has. */
    schema: object.optional(),
    equals: json.optional(),
    contains: texts.optional(),
    regex: texts
      .refine((list) => list.every(isExpression), {
        error: 'regular expressions as JavaScript writes them, with the flag u',
      })
      .optional(),
    judge: z
      .strictObject({ prompt: z.string().min(1), least: z.number(), input: object.optional() })
      .optional(),
    maxCostUsd: z.number().min(0).optional(),
    maxLatency: z
      .string()
      .transform((text, context) => {
        const ms = parseDuration(text);
        if (ms !== undefined) return ms;
        context.addIssue({ code: 'custom', message: "a duration such as '500ms' or '10s'" });
        return z.NEVER;
      })
      .optional(),
  })
  .refine((expected) => Object.keys(expected).length > 0, { error: 'at least one expectation' });

const testFile = z.strictObject({
  tests: z
    .array(z.strictObject({ name: z.string().min(1), input: object, expect: expectations }))
    .min(1, { error: 'at least one test' }),
});

/** `expect.schema` is JSON Schema, whatever was written. */
export type PromptTest = z.output<typeof testFile>['tests'][number];

/** Why a file of tests cannot be used, and where. */
export class TestFileError extends Error {}

/**
 * Reads `NAME.test.yaml`.
 *
 * @param path names the file in errors
 * @throws TestFileError
 */
export async function readTestFile(path: string, text: string): Promise<PromptTest[]> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error) {
    const [first = ''] = error.message.split('\n', 1);
    throw new TestFileError(
      `${path}:${error.linePos?.[0].line ?? 1}: ${first.replace(/ at line \d+.*$/, '')}`,
    );
  }
  const parsed = testFile.safeParse(readValues(path, document));
  if (parsed.success)
    return Promise.all(
      parsed.data.tests.map(async (test, index) => {
        const { schema: written, ...expected } = test.expect;
        const schema = await readExpectedSchema(written, ['tests', index, 'expect', 'schema']);
        return { ...test, expect: { ...expected, ...(schema && { schema }) } };
      }),
    );
  const messages = parsed.error.issues.map(({ path: steps, message, ...issue }) => {
    const at = [...steps] as (string | number)[];
    if (issue.code === 'unrecognized_keys') {
      const [key = ''] = issue.keys;
      return `${path}:${lineOf([...at, key])}: '${key}' is not known here`;
    }
    return `${path}:${lineOf(at)}: ${at.join('.') || 'the file'}: ${message}`;
  });
  throw new TestFileError(messages.join('\n'));

  async function readExpectedSchema(written: JsonObject | undefined, steps: (string | number)[]) {
    try {
      return await readSchema({ lineOf }, steps, written);
    } catch (error) {
      if (!(error instanceof PromptFileError)) throw error;
      throw new TestFileError(`${path}:${error.line}: ${steps.join('.')}: ${error.reason}`, { cause: error });
    }
  }

  function lineOf(steps: readonly (string | number)[]): number {
    for (let length = steps.length; length > 0; length -= 1) {
      const node = document.getIn(steps.slice(0, length), true) as { range?: number[] } | undefined;
      if (node?.range?.[0] !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

function readValues(path: string, document: Document.Parsed): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // It has too many aliases, or one of what is not there.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TestFileError(`${path}:1: the file cannot be read: ${reason}`, { cause });
  }
}
