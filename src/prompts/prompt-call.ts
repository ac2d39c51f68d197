import { promptNamed } from '../config/prompt-prefix.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isDeeperThan, isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { chatMessages } from './chat-request.ts';
import type { Prompt } from './compile-prompt.ts';
import { describeFaults } from './faults.ts';
import { parameterName, parameterSchema } from './parameters.ts';
import { RenderError } from './render-error.ts';
import type { RenderedMessage, TemplateData } from './template.ts';
import { findToolTurn, readToolTurn, textIn } from './tool-turn.ts';
import type { Fault } from './values.ts';
import { withDefaults } from './with-defaults.ts';
import { plainNumbers } from './written-number.ts';

/** How deep an input may be: what goes through it calls itself for what is inside. */
const MOST_LEVELS = 500;

/** What somebody asks of a prompt. */
export interface PromptCall {
  /** Numbers may be as they were written (`parseInput`). */
  input: JsonObject;
  /** What its caller sets, where the prompt lets it: `model` and parameters; texts that are numbers are these. */
  overrides: JsonObject;
  stream: boolean;
}

/**
 * The request of the chat dialect that a prompt makes of an input. `fallback`: the model of prompts that name none.
 *
 * @throws GatewayError `invalid_request`, `overloaded`
 */
export async function makeChatRequest(
  prompt: Prompt,
  call: PromptCall,
  fallback: string | undefined,
): Promise<JsonObject> {
  const { template, tools, output } = prompt;
  const { input, messages, turn } = await takeApart(prompt, call.input);
  const set = readOverrides(prompt, call.overrides);
  const model = set['model'] ?? prompt.model ?? fallback;
  if (model === undefined)
    throw invalidRequest(
      `The prompt '${prompt.name}' names no model: its file is to say 'model', or the configuration 'prompts.model'.`,
      'model',
      'no_model',
    );
  if (promptNamed(String(model)) !== undefined)
    throw invalidRequest(`'${String(model)}' is a prompt: a prompt calls a model.`, 'model', 'no_model');
  const rendered = await render(template, { input, messages });
  if (rendered.length + turn.length === 0)
    throw invalidRequest('The prompt says nothing with this input.', undefined, 'invalid_input');
  return {
    model,
    messages: [...rendered, ...turn],
    ...prompt.parameters,
    ...set,
    ...(tools.length > 0 && { tools }),
    ...(output.format === 'json' && { response_format: responseFormat(prompt) }),
    ...(call.stream && { stream: true }),
  };
}

function responseFormat({ name, output: { check } }: Prompt): JsonObject {
  if (!check) return { type: 'json_object' };
  // OpenAI's rule for names of schemas.
  const schemaName = name.replace(/[^\w-]/g, '_').slice(0, 64);
  return { type: 'json_schema', json_schema: { name: schemaName, schema: check.schema } };
}

interface Taken {
  /** As the template gets it. */
  input: JsonObject;
  /** The earlier messages. */
  messages: RenderedMessage[];
  /** What the model and its tools have said to this input. */
  turn: JsonObject[];
}

async function takeApart(prompt: Prompt, body: JsonObject): Promise<Taken> {
  const { input: check, takesHistory, tools } = prompt;
  const properties = check?.schema['properties'];
  const isOwnField = isObject(properties) && properties['messages'] !== undefined;
  const { messages } = body;
  const hasMessages = (takesHistory || tools.length > 0) && !isOwnField && messages !== undefined;
  const given = hasMessages ? withoutMessages(body) : body;
  if (isDeeperThan(given, MOST_LEVELS))
    throw misfit(prompt, [{ path: '', message: `has more than ${MOST_LEVELS} levels` }]);
  // Before it is copied: a million fields take seconds each time.
  const excess = check?.findExcess(given) ?? [];
  if (excess.length > 0) throw misfit(prompt, excess);
  const input = withDefaults(check?.schema, { ...prompt.inputDefaults, ...given }) as JsonObject;
  const faults = (await check?.faultsSoon(plainNumbers(input))) ?? [];
  if (faults.length > 0) throw misfit(prompt, faults);
  return { input, ...(hasMessages ? readMessages(prompt, messages) : { messages: [], turn: [] }) };
}

function withoutMessages({ messages: _, ...rest }: JsonObject): JsonObject {
  return rest;
}

function misfit({ name }: Prompt, faults: readonly Fault[]): GatewayError {
  const message = `The input does not fit the prompt '${name}': ${describeFaults(faults)}.`;
  return new GatewayError('invalid_request', message, {
    param: faults[0]?.path ?? '',
    code: 'invalid_input',
    details: { faults: faults.map(({ path, message }) => ({ path, message })) },
  });
}

const HISTORY_ROLES: Readonly<Record<string, RenderedMessage['role']>> = {
  user: 'user',
  assistant: 'model',
  model: 'model',
};

function readMessages(prompt: Prompt, messages: JsonValue): Pick<Taken, 'messages' | 'turn'> {
  if (!Array.isArray(messages)) throw invalidRequest("'messages' must be a list.", 'messages');
  const from = prompt.tools.length > 0 ? findToolTurn(messages) : messages.length;
  if (from > 0 && !prompt.takesHistory)
    throw invalidRequest(`The prompt '${prompt.name}' takes no earlier messages.`, 'messages');
  return {
    messages: readHistory(messages.slice(0, from)),
    turn: readToolTurn(prompt, messages, from),
  };
}

/** A caller's turns and the model's: what the system says is the prompt's. */
function readHistory(messages: readonly JsonValue[]): RenderedMessage[] {
  return messages.map((message, index) => {
    const { role, content } = isObject(message) ? message : {};
    const own =
      typeof role === 'string' && Object.hasOwn(HISTORY_ROLES, role) ? HISTORY_ROLES[role] : undefined;
    if (!own)
      throw invalidRequest(
        `'messages[${index}].role' must be 'user' or 'assistant'.`,
        `messages[${index}].role`,
      );
    const text = textIn(content);
    if (text === undefined)
      throw invalidRequest(`'messages[${index}].content' must be text.`, `messages[${index}].content`);
    return { role: own, content: [{ text }] };
  });
}

function readOverrides({ name, overrides }: Prompt, given: PromptCall['overrides']): JsonObject {
  const set: JsonObject = {};
  for (const [key, value] of Object.entries(given)) {
    const parameter = key === 'model' ? key : parameterName(key);
    if (parameter === undefined || !overrides.has(parameter)) {
      const may =
        overrides.size > 0
          ? `It lets its callers set ${[...overrides].join(', ')}.`
          : 'It lets its callers set nothing.';
      throw invalidRequest(
        `The prompt '${name}' does not let '${key}' be set. ${may}`,
        key,
        'override_not_allowed',
      );
    }
    if (Object.hasOwn(set, parameter)) throw invalidRequest(`'${parameter}' is set twice.`, key);
    set[parameter] = typeof value === 'string' ? readParameter(parameter, key, value) : value;
  }
  return set;
}

/** A URL has texts alone. `key`: what the caller calls the parameter. */
function readParameter(parameter: string, key: string, text: string): JsonValue {
  const { type } = parameterSchema(parameter);
  if (type === 'string') return text;
  const isWhole = type === 'integer';
  if (!(isWhole ? /^-?\d+$/ : /^-?\d+(\.\d+)?$/).test(text))
    throw invalidRequest(`'${key}' must be a ${isWhole ? 'whole ' : ''}number.`, key);
  return Number(text);
}

async function render(template: Prompt['template'], data: TemplateData): Promise<JsonObject[]> {
  try {
    return chatMessages(await template.render(data));
  } catch (error) {
    if (error instanceof RenderError) throw invalidRequest(error.message, undefined, 'invalid_input');
    throw error;
  }
}
