import { isObject, type JsonObject } from '../conversation/json.ts';
import { PromptFileError } from './problem.ts';
import type { PromptFile } from './prompt-file.ts';
import { type NamedSchemas, readSchema } from './read-schema.ts';
import { namesType } from './text-values.ts';

/** OpenAI's rule for names of functions, which others share. */
const NAME = /^[\w-]{1,64}$/;

/**
 * The tools that a file describes under `toolDefs`, in the chat dialect. Source: google.github.io/dotprompt, "Prompt files".
 *
 * @throws PromptFileError
 */
export async function readTools(file: PromptFile, schemas: NamedSchemas): Promise<JsonObject[]> {
  const tools: JsonObject[] = [];
  const names = new Set<string>();
  for (const [index, said] of listAt(file, 'toolDefs').entries()) {
    const path = ['toolDefs', index];
    const fail = (message: string, ...inner: string[]) =>
      new PromptFileError(message, file.lineOf([...path, ...inner]));
    if (!isObject(said)) throw fail('a tool is a mapping of its name, description and inputSchema');
    const { name, description } = said;
    if (typeof name !== 'string' || !NAME.test(name))
      throw fail("a tool has a name of letters, digits, '_' and '-', 64 at most", 'name');
    if (names.has(name)) throw fail(`the tool '${name}' stands there twice`, 'name');
    names.add(name);
    if (description !== undefined && description !== null && typeof description !== 'string')
      throw fail('the description of a tool must be text', 'description');
    const parameters =
      (await readSchema(file, [...path, 'inputSchema'], said['inputSchema'], schemas)) ?? NOTHING;
    if (!namesType(parameters, 'object')) throw fail('the input of a tool is an object', 'inputSchema');
    const described = typeof description === 'string' ? { description } : {};
    tools.push({ type: 'function', function: { name, ...described, parameters } });
  }
  const unknown = listAt(file, 'tools').find((name) => typeof name !== 'string' || !names.has(name));
  if (unknown !== undefined) {
    const message = `the tool '${String(unknown)}' is not known: describe it under 'toolDefs'`;
    throw new PromptFileError(message, file.lineOf(['tools']));
  }
  return tools;
}

/** Of a tool that takes nothing: all dialects want to be told. */
const NOTHING: JsonObject = { type: 'object', properties: {} };

function listAt(file: PromptFile, field: 'tools' | 'toolDefs'): unknown[] {
  const said: unknown = file.parsed[field] ?? [];
  if (!Array.isArray(said)) throw new PromptFileError(`'${field}' must be a list`, file.lineOf([field]));
  return said;
}
