import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Prompt } from './compile-prompt.ts';
import { findTextInput, readTexts } from './text-values.ts';
import { findToolTurn } from './tool-turn.ts';

/** What a request of OpenAI's that names a prompt as its model says of it. */
export interface ModelRequest {
  input: JsonObject;
  overrides: JsonObject;
  /** Fields that are not the prompt's matter, and go on. */
  carried: JsonObject;
}

/** Where a dialect has the messages, and what is of no matter to a prompt. */
export interface RequestForm {
  messages: 'messages' | 'input';
  /** The types of its parts that are text. */
  texts: readonly string[];
  carried: readonly string[];
}

/** Sources: OpenAI API reference, "Create chat completion" and "Create a model response". */
export const REQUEST_FORMS = {
  chat: { messages: 'messages', texts: ['text'], carried: ['stream_options', 'user', 'safety_identifier'] },
  responses: {
    messages: 'input',
    texts: ['input_text', 'output_text'],
    carried: ['user', 'safety_identifier'],
  },
} as const satisfies Record<string, RequestForm>;

const OF_TOOLS: ReadonlySet<string> = new Set([
  ...['tools', 'tool_choice', 'parallel_tool_calls', 'functions', 'function_call', 'max_tool_calls'],
]);

/**
 * Reads such a request: the input is in `metadata`, or the last message where the prompt has one text input; the messages before it are
 * the history of a prompt that takes one.
 *
 * @throws GatewayError `invalid_request`
 */
export function readModelRequest(prompt: Prompt, form: RequestForm, body: JsonObject): ModelRequest {
  const { model: _model, stream: _stream, metadata, [form.messages]: messages, ...others } = body;
  const overrides: JsonObject = {};
  const carried: JsonObject = {};
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined || value === null || (name === 'store' && value === false)) continue;
    if (OF_TOOLS.has(name)) throw ownTools(prompt, name);
    if (form.carried.includes(name)) carried[name] = value;
    else overrides[name] = value;
  }
  const given = readTexts(prompt, readMetadata(metadata));
  const listed = listMessages(form, messages);
  // Of the chat dialect alone: elsewhere calls of tools are no messages.
  const from = prompt.tools.length > 0 && form.messages === 'messages' ? findToolTurn(listed) : listed.length;
  const turns = listed
    .slice(0, from)
    .map((message, index) => readMessage(form, message, `${form.messages}[${index}]`));
  return {
    input: withMessages(prompt, form, given, { turns, ofTools: listed.slice(from) }),
    overrides,
    carried,
  };
}

function ownTools({ name }: Prompt, param: string): Error {
  return invalidRequest(
    `The prompt '${name}' says itself which tools its model has: leave '${param}' out.`,
    param,
    'override_not_allowed',
  );
}

function readMetadata(metadata: JsonValue | undefined): Record<string, JsonValue> {
  if (metadata === undefined || metadata === null) return {};
  if (!isObject(metadata)) throw invalidRequest("'metadata' must be an object: the input.", 'metadata');
  return metadata as Record<string, JsonValue>;
}

interface Turn {
  role: string;
  content: string;
}

function withMessages(
  prompt: Prompt,
  form: RequestForm,
  given: JsonObject,
  { turns, ofTools }: { turns: Turn[]; ofTools: JsonValue[] },
): JsonObject {
  const last = turns.at(-1);
  const text = last?.role === 'user' ? findTextInput(prompt, given) : undefined;
  const history = text === undefined ? turns : turns.slice(0, -1);
  if (history.length > 0 && !prompt.takesHistory) {
    const why =
      text === undefined
        ? 'has no text input left for it: the input of a prompt is in metadata'
        : 'takes no earlier messages: send the last one alone';
    throw invalidRequest(`The prompt '${prompt.name}' ${why}.`, form.messages);
  }
  const beside = [...(history as unknown as JsonValue[]), ...ofTools];
  return {
    ...given,
    ...(text !== undefined && last && { [text]: last.content }),
    ...(beside.length > 0 && { messages: beside }),
  };
}

function listMessages(form: RequestForm, said: JsonValue | undefined): JsonValue[] {
  if (said === undefined || said === null) return [];
  if (typeof said === 'string') return [{ role: 'user', content: said }];
  if (!Array.isArray(said)) throw invalidRequest(`'${form.messages}' must be a list.`, form.messages);
  return said;
}

function readMessage(form: RequestForm, message: JsonValue, path: string): Turn {
  const { role, content, type = 'message' } = isObject(message) ? message : {};
  const isCalling =
    isObject(message) && Array.isArray(message['tool_calls']) && message['tool_calls'].length > 0;
  if (type !== 'message' || isCalling)
    throw invalidRequest(`'${path}' must be a message: this prompt takes no calls of tools here.`, path);
  if (role !== 'user' && role !== 'assistant')
    throw invalidRequest(
      `'${path}.role' must be 'user' or 'assistant': what the system says is the prompt's.`,
      `${path}.role`,
    );
  return { role, content: textOf(form, content, `${path}.content`) };
}

function textOf({ texts }: RequestForm, content: JsonValue | undefined, path: string): string {
  if (typeof content === 'string') return content;
  const parts = Array.isArray(content) ? content.map((part) => (isObject(part) ? part : {})) : [{}];
  const words = parts.map(({ type, text }) =>
    typeof text === 'string' && texts.includes(String(type)) ? text : undefined,
  );
  if (words.includes(undefined))
    throw invalidRequest(`'${path}' must be text. Images and files are inputs: name them in metadata.`, path);
  return words.join('');
}
