import { createHash } from 'node:crypto';
import { promptNamed } from '../config/prompt-prefix.ts';
import { parseDuration } from '../config/units.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { allowsObjects } from './allows-objects.ts';
import { checkTemplate } from './check-template.ts';
import { type CollectedPartials, collectPartials } from './collect-partials.ts';
import { findDefaultFault } from './default-fault.ts';
import type { NamedInput } from './named-inputs.ts';
import { chatParameters, parameterName } from './parameters.ts';
import { PromptFileError } from './problem.ts';
import { type PromptFile, readPromptFile } from './prompt-file.ts';
import { readSchema } from './read-schema.ts';
import { readTools } from './read-tools.ts';
import { PromptTemplate } from './template.ts';
import { propertiesOf } from './text-values.ts';
import { findUnknownFields, type UnknownField } from './unknown-fields.ts';
import { type ChecksElsewhere, ValueCheck } from './values.ts';

/** What a prompt is made from: its file, and the partials that stand around it. */
export interface PromptSource {
  /** Where it is called: `support/triage`. */
  name: string;
  source: string;
  /** Sources of partials by their whole names: `support/tone`. */
  partials: Readonly<Record<string, string>>;
  /** Schemas that the front matter may name. */
  schemas?: Readonly<Record<string, JsonObject>>;
}

/** A prompt of one version, ready to be rendered. Immutable. */
export interface Prompt {
  name: string;
  /** Of all that it is made from; equal sources have equal hashes. */
  hash: string;
  /** What it is made from: never for callers. */
  sources: Pick<PromptSource, 'source' | 'partials'>;
  description: string | undefined;
  /** The public name of a model, where the file says one. */
  model: string | undefined;
  /** Of its requests, in the words of the chat dialect. */
  parameters: JsonObject;
  tools: JsonObject[];
  input: ValueCheck | undefined;
  inputDefaults: JsonObject;
  /** JSON answers; `check` where they have a schema; `repairs`: how often the model is asked again for one that cannot be used. */
  output: { format: 'json' | 'text'; check: ValueCheck | undefined; repairs: number };
  /** What callers may set: `model`, or parameters by the words of the chat dialect. */
  overrides: ReadonlySet<string>;
  /** How long its answers are kept and given again, in milliseconds; absent where they are not. */
  cacheMs: number | undefined;
  /** Inputs that are media, and may be files of a form. */
  mediaInputs: ReadonlySet<string>;
  /** Callers may send earlier messages. */
  takesHistory: boolean;
  template: PromptTemplate;
  /** What its front matter says and nothing here reads. */
  unknownFields: readonly UnknownField[];
  /** What its template names and its input cannot have, so that nothing stands there. */
  unknownInputs: readonly NamedInput[];
  /** Why no call of it could ever be answered, or none that leaves a field to its default: no file may say that, and versions of before may. */
  useless: PromptFileError | undefined;
}

/**
 * Makes a prompt from its files.
 *
 * @param slowChecks where an input is checked that takes long to be
 * @throws PromptFileError
 */
export async function compilePrompt(
  { name, source, partials, schemas = {} }: PromptSource,
  slowChecks?: ChecksElsewhere,
): Promise<Prompt> {
  const file = readPromptFile(source);
  const { parsed } = file;
  const needs = checkTemplate(parsed.template, file.linesBefore);
  const used = collectPartials(name, parsed.template, needs, partials);
  fieldObject(file, ['input']);
  fieldObject(file, ['output']);
  const config = fieldObject(file, ['config']);
  const inputSchema = await readSchema(file, ['input', 'schema'], parsed.input?.schema, schemas);
  const outputSchema = await readSchema(file, ['output', 'schema'], parsed.output?.schema, schemas);
  const { historyLine } = needs;
  if (historyLine !== undefined && Object.hasOwn(propertiesOf(inputSchema), 'history')) {
    const message = "'history' is a helper: the input of this name is {{this.history}}";
    throw new PromptFileError(message, historyLine);
  }
  const format = parsed.output?.format ?? (outputSchema ? 'json' : 'text');
  if (format !== 'json' && format !== 'text')
    throw faultAt(file, ['output', 'format'], "an output is 'json' or 'text'");
  const input = inputSchema && makeCheck(file, ['input', 'schema'], inputSchema, slowChecks);
  const inputDefaults = fieldObject(file, ['input', 'default']);
  return {
    name,
    hash: hashOf(source, used.called),
    sources: { source, partials: used.files },
    description: textField(file, 'description'),
    model: readModel(file),
    parameters: chatParameters(config, (parameter) => file.lineOf(['config', parameter])),
    tools: await readTools(file, schemas),
    ...{ input, inputDefaults },
    output: {
      ...{ format, repairs: readRepairs(file) },
      check: outputSchema && makeCheck(file, ['output', 'schema'], outputSchema),
    },
    overrides: readOverrides(file),
    cacheMs: readCache(file),
    mediaInputs: used.media,
    takesHistory: used.history,
    template: new PromptTemplate(used.template, used.partials),
    unknownFields: findUnknownFields(file),
    unknownInputs: needs.named.filter(({ name }) => isNoInput(inputSchema, name)),
    useless: findUselessness(file, source, { input, inputDefaults, ...used }),
  };
}

function findUselessness(
  file: PromptFile,
  source: string,
  {
    input,
    inputDefaults,
    saysNothing,
  }: Pick<Prompt, 'input' | 'inputDefaults'> & Pick<CollectedPartials, 'saysNothing'>,
): PromptFileError | undefined {
  if (input && !allowsObjects(input.schema)) {
    const message =
      'an input is an object: its fields, such as { text: string }, and this schema lets none be';
    return faultAt(file, ['input', 'schema'], message);
  }
  const fault = input && findDefaultFault(input, inputDefaults);
  if (fault) {
    const { name, message } = fault;
    const path = Object.hasOwn(inputDefaults, name) ? ['default', name] : ['schema', 'properties', name];
    return faultAt(
      file,
      ['input', ...path],
      `the default of '${name}' does not fit the schema of the input: ${message}`,
    );
  }
  // Where there is no template it would begin behind the last line.
  const line = Math.min(file.linesBefore + 1, source.trimEnd().split('\n').length);
  return saysNothing
    ? new PromptFileError('the template says nothing: no call of it would have a message', line)
    : undefined;
}

function makeCheck(
  file: PromptFile,
  path: readonly string[],
  schema: JsonObject,
  slowChecks?: ChecksElsewhere,
): ValueCheck {
  try {
    return new ValueCheck(schema, slowChecks);
  } catch (error) {
    // The validator looks for schemas with addresses in words that it does not know, too.
    const reason = error instanceof Error ? error.message : String(error);
    throw faultAt(file, path, `the schema cannot be used: ${reason}`);
  }
}

/** Whether a schema lets nothing of this name pass. */
function isNoInput(schema: JsonObject | undefined, name: string): boolean {
  const { properties, additionalProperties, patternProperties } = schema ?? {};
  const isClosed = additionalProperties === false && patternProperties === undefined;
  return isClosed && isObject(properties) && !Object.hasOwn(properties, name);
}

function hashOf(source: string, partials: CollectedPartials['called']): string {
  const hash = createHash('sha256').update(source);
  for (const [name, template] of partials) hash.update(`\0${name}\0${template}`);
  return hash.digest('hex');
}

/** Of fields that dotprompt leaves to whoever runs prompts: `fairlead.overrides`, or `overrides` within `fairlead`. */
function ownField(file: PromptFile, name: string): { path: string[]; said: unknown } {
  const { ext, raw } = file.parsed;
  const within: unknown = (raw as Record<string, unknown> | undefined)?.['fairlead'];
  const said: unknown = ext?.['fairlead']?.[name];
  if (said !== undefined || !isObject(within)) return { path: [`fairlead.${name}`], said };
  return { path: ['fairlead', name], said: within[name] };
}

/** `fairlead.overrides`. */
function readOverrides(file: PromptFile): Set<string> {
  const { path, said = [] } = ownField(file, 'overrides');
  if (!Array.isArray(said)) throw faultAt(file, path, 'what callers may set is a list');
  const names = said.map((one) => {
    const name = one === 'model' ? one : parameterName(String(one));
    if (name === undefined) throw faultAt(file, path, `'${String(one)}' is no parameter of a prompt`);
    return name;
  });
  return new Set(names);
}

/** `fairlead.repairs`: once where nothing is said. */
function readRepairs(file: PromptFile): number {
  const { path, said = 1 } = ownField(file, 'repairs');
  if (said !== 0 && said !== 1 && said !== 2)
    throw faultAt(file, path, 'an answer is repaired 0, 1 or 2 times');
  return said;
}

/** `cache: { ttl: 10m }`, or `fairlead.cache` where other tools shall not stumble over it. */
function readCache(file: PromptFile): number | undefined {
  const own = ownField(file, 'cache');
  const path = own.said === undefined ? ['cache'] : own.path;
  const cache: unknown = own.said ?? (file.parsed.raw as Record<string, unknown> | undefined)?.['cache'];
  if (cache === undefined || cache === null) return undefined;
  const { ttl, ...unknown }: Record<string, unknown> = isObject(cache) ? cache : {};
  const ms = typeof ttl === 'string' ? parseDuration(ttl) : undefined;
  if (ms === undefined || ms < 1 || Object.keys(unknown).length > 0)
    throw faultAt(file, path, "a cache says how long answers are kept, such as '{ ttl: 10m }'");
  return ms;
}

/** A prompt that called a prompt would have two texts, two inputs and no end. */
function readModel(file: PromptFile): string | undefined {
  const model = textField(file, 'model');
  if (model !== undefined && promptNamed(model) !== undefined)
    throw faultAt(file, ['model'], `'${model}' is a prompt: a prompt calls a model`);
  return model;
}

function textField(file: PromptFile, name: 'description' | 'model'): string | undefined {
  const value: unknown = file.parsed[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw faultAt(file, [name], `the ${name} must be text`);
  return value;
}

function fieldObject(file: PromptFile, path: readonly string[]): JsonObject {
  let value: unknown = file.parsed;
  for (const step of path) value = isObject(value) ? value[step] : undefined;
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw faultAt(file, path, `'${path.join('.')}' must be a mapping`);
  return value as Record<string, JsonValue>;
}

function faultAt(file: PromptFile, path: readonly string[], message: string): PromptFileError {
  return new PromptFileError(message, file.lineOf(path));
}
