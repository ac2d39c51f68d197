import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import type { ModelAnswer } from '../fake-model.ts';
import type { Frame, Stream } from '../fake-reply.ts';
import { Refusal } from '../refusal.ts';
import { has, objectsOf } from '../values.ts';
import { openAiError } from './errors.ts';
import { writeUsage } from './writing.ts';

/**
 * A server of OpenAI's kin, as strict as it is: what it refuses that OpenAI takes, in its own words; what it takes under
 * another name; how its answers differ. Sources: the provider's declaration, and the recorded traffic.
 */
export interface Kin {
  /** Top-level fields that it refuses. */
  refuses: (body: JsonObject) => string[];
  /** Fields of a message that it refuses. */
  refusesInMessage?: (message: JsonObject) => string[];
  /** What it says of a field that it refuses, at the path. */
  refusal: (path: (string | number)[]) => Refusal;
  /** Rules of its own. */
  rules?: ((body: JsonObject) => Refusal | undefined)[];
  /** Its own names of fields, and OpenAI's. */
  names?: Record<string, string>;
  /** Fields of its own, which the fake model does not read. */
  own?: readonly string[];
  /** Changes the chunks of a stream. */
  dress?: (stream: Stream, answer: ModelAnswer) => Stream;
  /** Changes a whole answer. */
  dressWhole?: (body: JsonObject) => JsonObject;
  /** Puts reasoning into the text. */
  thinkTags?: boolean;
  /** Thinks before every call of a tool, asked or not, and wants that back. */
  thinksWithTools?: boolean;
  /** Shows it in this field instead of `reasoning_content`. */
  reasoningField?: 'reasoning';
}

const listed =
  (...fields: string[]) =>
  (body: JsonObject): string[] =>
    fields.filter((field) => field in body);

const outside =
  (...fields: string[]) =>
  (body: JsonObject): string[] =>
    Object.keys(body).filter((field) => !fields.includes(field));

/** The kinds of content parts of its client's request types, and their fields. */
const MISTRAL_PARTS: Record<string, Record<string, string>> = {
  text: { text: 'string' },
  image_url: { image_url: 'object' },
  document_url: { document_url: 'string', document_name: 'string' },
  file: { file_id: 'string' },
  thinking: { thinking: 'object' },
  input_audio: { input_audio: 'string' },
};

const MISTRAL_MESSAGE: Record<string, string[]> = {
  system: ['role', 'content'],
  user: ['role', 'content'],
  assistant: ['role', 'content', 'tool_calls', 'prefix'],
  tool: ['role', 'content', 'tool_call_id', 'name'],
};

const mistral: Kin = {
  refuses: outside(
    ...[
      'model',
      'messages',
      'temperature',
      'top_p',
      'max_tokens',
      'stream',
      'stop',
      'random_seed',
      'metadata',
    ],
    ...[
      'response_format',
      'tools',
      'tool_choice',
      'presence_penalty',
      'frequency_penalty',
      'n',
      'prediction',
    ],
    ...['parallel_tool_calls', 'prompt_mode', 'safe_prompt', 'reasoning_effort'],
  ),
  refusesInMessage: (message) => {
    const allowed = MISTRAL_MESSAGE[String(message['role'])] ?? [];
    return Object.keys(message).filter((field) => !allowed.includes(field));
  },
  refusal: (path) =>
    mistralError([
      { type: 'extra_forbidden', loc: ['body', ...path], msg: 'Extra inputs are not permitted' },
    ]),
  rules: [
    (body) => {
      // Optional, not nullable, in the request types of its client.
      if (body['prediction'] !== null) return undefined;
      const msg = 'Input should be a valid dictionary';
      return mistralError([{ type: 'model_type', loc: ['body', 'prediction'], msg }]);
    },
    (body) => {
      for (const [index, message] of objectsOf(body['messages']).entries()) {
        for (const [at, part] of objectsOf(message['content']).entries()) {
          const fields = MISTRAL_PARTS[String(part['type'])];
          const loc = ['body', 'messages', index, message['role'] ?? null, 'content', at];
          if (!fields)
            return mistralError([
              { type: 'union_tag_invalid', loc, msg: `Input tag '${part['type']}' does not match` },
            ]);
          for (const [field, value] of Object.entries(part)) {
            if (field === 'type' || typeof value === fields[field]) continue;
            return mistralError([
              { type: 'extra_forbidden', loc: [...loc, field], msg: 'Extra inputs are not permitted' },
            ]);
          }
        }
      }
      return undefined;
    },
    (body) => {
      const ids = objectsOf(body['messages']).flatMap((message) => [
        ...objectsOf(message['tool_calls']).map(({ id }) => id),
        ...(message['role'] === 'tool' ? [message['tool_call_id']] : []),
      ]);
      const bad = ids.find((id) => !/^[a-zA-Z0-9]{9}$/.test(String(id)));
      if (bad === undefined) return undefined;
      const message = `Tool call id was ${bad} but must be a-z, A-Z, 0-9, with a length of 9.`;
      return new Refusal(400, message, {
        object: 'error',
        message,
        type: 'invalid_function_call',
        param: null,
        code: '3280',
      });
    },
    refuseMistralOrder,
    (body) => {
      const last = objectsOf(body['messages']).at(-1);
      if (last?.['role'] !== 'assistant' || last['prefix'] === true) return undefined;
      return mistralOrderError(
        'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant',
      );
    },
    (body) => {
      const isEmpty = ({ role, content, tool_calls: calls }: JsonObject) =>
        role === 'assistant' && !content && objectsOf(calls).length === 0;
      if (!objectsOf(body['messages']).some(isEmpty)) return undefined;
      const message = 'Assistant message must have either content or tool_calls, but not none.';
      const type = 'invalid_request_assistant_message';
      return new Refusal(400, message, { object: 'error', message, type, param: null, code: '3240' });
    },
    (body) => {
      const effort = body['reasoning_effort'];
      const levels = /^mistral-large-4/.test(String(body['model'])) ? ['low', 'medium'] : [];
      if ([undefined, 'none', 'high', ...levels].includes(effort as string)) return undefined;
      return mistralError([
        { type: 'enum', loc: ['body', 'reasoning_effort'], msg: "Input should be 'none' or 'high'" },
      ]);
    },
    (body) => {
      const choice = body['tool_choice'];
      if (typeof choice !== 'string' || ['auto', 'none', 'any'].includes(choice)) return undefined;
      return mistralError([
        {
          type: 'enum',
          loc: ['body', 'tool_choice', 'str-enum'],
          msg: "Input should be 'auto', 'none' or 'any'",
        },
      ]);
    },
  ],
  names: { random_seed: 'seed', max_tokens: 'max_completion_tokens' },
  own: ['prompt_mode', 'safe_prompt', 'reasoning_effort'],
  dressWhole: (body) => editMessages(body, 'message', withThinkingParts),
  // Recorded: the chunk with the finish reason has the usage.
  dress: (stream, answer) =>
    editChunks(stream, (said) => {
      const chunk = editMessages(said, 'delta', withThinkingParts);
      const finished = objectsOf(chunk['choices']).some(
        ({ finish_reason: reason }) => typeof reason === 'string',
      );
      return finished ? { ...chunk, usage: writeUsage(answer.usage) } : chunk;
    }),
};

/** Recorded: what was thought is a part of the content. */
function withThinkingParts({ reasoning_content: thought, content, ...message }: JsonObject): JsonObject {
  if (typeof thought !== 'string') return content === undefined ? message : { ...message, content };
  const thinking = { type: 'thinking', thinking: [{ type: 'text', text: thought }] };
  const text = typeof content === 'string' && content !== '' ? [{ type: 'text', text: content }] : [];
  return { ...message, content: [thinking, ...text] };
}

/** Changes what each choice says. */
function editMessages(
  body: JsonObject,
  key: 'message' | 'delta',
  edit: (message: JsonObject) => JsonObject,
): JsonObject {
  const choices = objectsOf(body['choices']).map((choice) => {
    const message = choice[key];
    return isObject(message) ? { ...choice, [key]: edit(message) } : choice;
  });
  return { ...body, choices };
}

/** Who may speak behind whom: mistral-common, `MistralRequestValidator`, which its API and vLLM (so NIM, too) check with. */
const MISTRAL_FOLLOWERS: Record<string, string[]> = {
  system: ['system', 'user', 'assistant'],
  user: ['system', 'user', 'assistant'],
  assistant: ['user', 'assistant', 'tool'],
  tool: ['assistant', 'tool'],
};

function refuseMistralOrder(body: JsonObject): Refusal | undefined {
  const roles = objectsOf(body['messages']).map(({ role }) => String(role));
  const wrong = roles.findIndex((role, at) => {
    const before = roles[at - 1];
    return before !== undefined && MISTRAL_FOLLOWERS[before]?.includes(role) === false;
  });
  if (wrong === -1) return undefined;
  return mistralOrderError(`Unexpected role '${roles[wrong]}' after role '${roles[wrong - 1]}'`);
}

function mistralOrderError(message: string): Refusal {
  const type = 'invalid_request_message_order';
  return new Refusal(400, message, { object: 'error', message, type, param: null, code: '3230' });
}

/** Mistral's models at other servers: the same order, by the same validator or the model's chat template. */
function refuseOrderOfMistrals(body: JsonObject): Refusal | undefined {
  return /mistral|devstral/i.test(String(body['model'])) ? refuseMistralOrder(body) : undefined;
}

function mistralError(detail: JsonValue): Refusal {
  return new Refusal(422, 'validation', {
    object: 'error',
    message: { detail },
    type: 'invalid_request_error',
    param: null,
    code: null,
  });
}

const groq: Kin = {
  refuses: (body) => [
    ...listed(
      'logprobs',
      'top_logprobs',
      'logit_bias',
      'top_k',
      'store',
      'verbosity',
      'prompt_cache_key',
    )(body),
    ...listed('safety_identifier', 'reasoning', 'thinking')(body),
    ...(has(body, 'n') && body['n'] !== 1 ? ['n'] : []),
  ],
  refusesInMessage: (message) =>
    outside('role', 'content', 'tool_calls', 'tool_call_id', 'reasoning')(message),
  refusal: (path) => {
    const at = path.slice(0, 2).join('.');
    return openAiError(
      400,
      path.length === 1
        ? `property '${path[0]}' is unsupported`
        : `'${at}' : for 'role:assistant' the following must be satisfied[('${at}' : property '${path[2]}' is unsupported)]`,
    );
  },
  rules: [
    refuseRole('developer'),
    (body) => {
      const { reasoning_effort: effort, model } = body;
      if (effort === undefined || !String(model).includes('gpt-oss')) return undefined;
      if (effort === 'low' || effort === 'medium' || effort === 'high') return undefined;
      return openAiError(400, '`reasoning_effort` must be one of `low`, `medium`, or `high`');
    },
    ({ service_tier: tier }) => {
      if (tier === undefined || GROQ_TIERS.includes(tier)) return undefined;
      return openAiError(400, '`service_tier` must be one of `auto`, `on_demand`, `flex` or `performance`');
    },
  ],
  own: ['reasoning_effort', 'service_tier'],
  dress: (stream, answer) =>
    editChunks(stream, (chunk) => {
      const { usage, ...rest } = chunk;
      // Recorded: beside the usage that was asked for, Groq says it in a field of its own.
      return isObject(usage)
        ? { ...rest, usage, x_groq: { id: 'req_fake', usage: writeUsage(answer.usage) } }
        : chunk;
    }),
  thinkTags: true,
};

/** Groq, "Service Tiers" and API reference (create chat completion). */
const GROQ_TIERS: unknown[] = ['auto', 'on_demand', 'flex', 'performance', null];

const cerebras: Kin = {
  refuses: listed('frequency_penalty', 'presence_penalty', 'logit_bias', 'top_k', 'max_tokens'),
  refusesInMessage: listed('reasoning_content', 'reasoning_details'),
  refusal: (path) => {
    const at = path.join('.');
    const message = `${at}: property '${at}' is unsupported`;
    return new Refusal(400, message, {
      message,
      type: 'invalid_request_error',
      param: 'validation_error',
      code: 'wrong_api_format',
    });
  },
  own: ['reasoning_effort'],
  reasoningField: 'reasoning',
};

const cohere: Kin = {
  refuses: (body) => [
    ...listed('stream_options', 'store', 'metadata', 'logit_bias', 'top_logprobs', 'prediction')(body),
    ...listed(
      'service_tier',
      'parallel_tool_calls',
      'max_completion_tokens',
      'modalities',
      'audio',
      'n',
    )(body),
  ],
  refusal: (path) => {
    const message = `invalid request: unsupported parameter: ${path.join('.')}`;
    return new Refusal(422, message, { id: 'fake', message });
  },
  rules: [
    (body) => {
      const parts = objectsOf(body['messages']).flatMap(({ content }) => objectsOf(content));
      const other = parts.find(({ type }) => type !== 'text' && type !== 'image_url');
      if (!other) return undefined;
      const message = `invalid request: unsupported content type: ${other['type']}`;
      return new Refusal(422, message, { id: 'fake', message });
    },
    (body) => {
      const effort = body['reasoning_effort'];
      if (effort === undefined || effort === 'none' || effort === 'high') return undefined;
      return new Refusal(400, 'effort', { id: 'fake', message: `unsupported reasoning_effort: ${effort}` });
    },
  ],
  own: ['reasoning_effort'],
};

const xai: Kin = {
  refuses: (body) => {
    const model = String(body['model']);
    if (model === 'grok-3') return listed('reasoning_effort')(body);
    const names = ['presence_penalty', 'frequency_penalty', 'stop'];
    return listed(...names, ...(model === 'grok-4' ? ['reasoning_effort'] : []))(body);
  },
  refusal: (path) => {
    const error = `Argument not supported on this model: ${path.join('.')}`;
    return new Refusal(400, error, { code: 'Client specified an invalid argument', error });
  },
  own: ['reasoning_effort'],
};

const perplexity: Kin = {
  refuses: listed('max_completion_tokens'),
  refusal: (path) => openAiError(400, `unknown field ${path.join('.')}`),
  rules: [
    (body) => {
      if (!('tools' in body)) return undefined;
      const message = 'Tool calling is not supported for this model';
      return new Refusal(400, message, { error: { message, type: 'invalid_request', code: 400 } });
    },
    (body) => {
      const roles = objectsOf(body['messages']).map(({ role }) => role);
      const turns = roles.slice(roles.findIndex((role) => role !== 'system'));
      const expected = turns.map((_, index) => (index % 2 === 0 ? 'user' : 'assistant'));
      if (turns.every((role, index) => role === expected[index])) return undefined;
      const message =
        'After the (optional) system message(s), user and assistant roles should be alternating.';
      return new Refusal(400, message, { error: { message, type: 'invalid_message', code: 400 } });
    },
  ],
  own: ['reasoning_effort', 'top_k'],
  thinkTags: true,
  dress: (stream, answer) =>
    editChunks(stream, (chunk) => ({ ...chunk, ...SEARCHED, usage: writeUsage(answer.usage) })),
  dressWhole: (body) => ({ ...body, ...SEARCHED }),
};

const SEARCHED = {
  citations: ['https://example.com/a', 'https://example.com/b'],
  search_results: [
    { title: 'A', url: 'https://example.com/a', date: '2026-01-01' },
    { title: 'B', url: 'https://example.com/b', date: null },
  ],
};

/** Fields that DeepSeek's reference (create chat completion) does not have: they are not read, and nobody is told. */
const UNREAD_AT_DEEPSEEK = [
  ...['n', 'seed', 'user', 'verbosity', 'prompt_cache_key', 'logit_bias', 'parallel_tool_calls'],
  ...['metadata', 'prediction', 'service_tier', 'store', 'safety_identifier', 'top_k'],
];

const deepseek: Kin = {
  refuses: listed('max_completion_tokens'),
  refusal: (path) => openAiError(400, `unknown field ${path.join('.')}`),
  rules: [
    refuseRole('developer'),
    (body) => {
      const format = body['response_format'];
      if (!isObject(format) || format['type'] !== 'json_schema') return undefined;
      return openAiError(400, 'This response_format type is unavailable now');
    },
    (body) => {
      if (isThoughtless(body) || thoughtlessTurn(body) === -1) return undefined;
      return openAiError(400, 'The `reasoning_content` in the thinking mode must be passed back to the API.');
    },
    (body) => {
      if (isThoughtless(body) || forcedChoice(body) === undefined) return undefined;
      return openAiError(400, 'Thinking mode does not support this tool_choice');
    },
  ],
  own: ['reasoning_effort', 'thinking', ...UNREAD_AT_DEEPSEEK],
  thinksWithTools: true,
  dressWhole: (body) => ({ ...body, usage: cacheHits(body['usage']) }),
};

/** Both think unless they are told not to. */
export function isThoughtless(body: JsonValue | undefined): boolean {
  const thinking = isObject(body) ? body['thinking'] : undefined;
  return isObject(thinking) && thinking['type'] === 'disabled';
}

/** In Kimi's words. */
function forcedChoice({ tool_choice: choice }: JsonObject): string | undefined {
  if (isObject(choice)) return 'specified';
  return choice === 'required' ? 'required' : undefined;
}

/**
 * Which message of the assistant, from its first tool call on, has no reasoning; -1: none. An empty one is none
 * (BerriAI/litellm's "DeepSeek thinking mode"; iOfficeAI/gemini-cli-pro#36 of Kimi's).
 */
function thoughtlessTurn(body: JsonObject): number {
  const messages = objectsOf(body['messages']);
  const first = messages.findIndex((message) => objectsOf(message['tool_calls']).length > 0);
  if (first === -1) return -1;
  return messages.findIndex(
    ({ role, reasoning_content: said }, at) =>
      at >= first && role === 'assistant' && (typeof said !== 'string' || said === ''),
  );
}

/** Recorded: what was read from the cache stands under a name of DeepSeek's own, too. */
function cacheHits(usage: JsonValue | undefined): JsonValue {
  if (!isObject(usage)) return null;
  const details = usage['prompt_tokens_details'];
  const hits = isObject(details) ? (details['cached_tokens'] ?? 0) : 0;
  return { ...usage, prompt_tokens_details: null, prompt_cache_hit_tokens: hits };
}

const moonshot: Kin = {
  refuses: (body) => [
    ...(has(body, 'temperature') && body['temperature'] !== 1 ? ['temperature'] : []),
    ...listed('top_p', 'presence_penalty', 'frequency_penalty')(body),
  ],
  refusal: (path) =>
    openAiError(400, `invalid ${path.join('.')}: only the default is allowed for this model`),
  rules: [
    refuseRole('developer'),
    (body) => {
      const at = isThoughtless(body) ? -1 : thoughtlessTurn(body);
      if (at === -1) return undefined;
      const what = 'thinking is enabled but reasoning_content is missing in assistant tool call message';
      return openAiError(400, `${what} at index ${at}`);
    },
    (body) => {
      const forced = isThoughtless(body) ? undefined : forcedChoice(body);
      if (forced === undefined) return undefined;
      return openAiError(400, `tool_choice '${forced}' is incompatible with thinking enabled`);
    },
    (body) => {
      const last = objectsOf(body['messages']).at(-1);
      return last?.['role'] === 'assistant' && last['partial'] !== true
        ? openAiError(400, 'the last message cannot be of the assistant')
        : undefined;
    },
  ],
  own: ['reasoning_effort', 'thinking'],
  thinksWithTools: true,
  // Recorded: the usage stands in the choice.
  dress: (stream, answer) =>
    editChunks(stream, (chunk) => {
      const choices = objectsOf(chunk['choices']).map((choice) =>
        typeof choice['finish_reason'] === 'string' ? { ...choice, usage: writeUsage(answer.usage) } : choice,
      );
      const { usage: _, ...rest } = chunk;
      return { ...rest, choices };
    }),
};

const zai: Kin = {
  refuses: (body) => (has(body, 'tool_choice') && body['tool_choice'] !== 'auto' ? ['tool_choice'] : []),
  refusal: (path) =>
    new Refusal(400, 'zai', { error: { code: '1210', message: `Invalid API parameter: ${path.join('.')}` } }),
  rules: [refuseRole('developer')],
  own: ['reasoning_effort', 'thinking'],
};

const refusesNothing = () => [];
const unknownField = (path: (string | number)[]) => openAiError(400, `unknown field ${path.join('.')}`);

/**
 * Recorded: what was thought comes as text and in details, and each call's signature of Gemini in a detail with the call's id, whose letters
 * are turned around here.
 */
function withDetails(message: JsonObject): JsonObject {
  const { reasoning: text } = message;
  const format = 'google-gemini-v1';
  const details: JsonObject[] = [
    ...(typeof text === 'string' ? [{ type: 'reasoning.text', text, format, index: 0 }] : []),
    ...objectsOf(message['tool_calls']).flatMap(({ id }) =>
      typeof id === 'string'
        ? [{ type: 'reasoning.encrypted', data: signatureOf(id), id, format, index: 0 }]
        : [],
    ),
  ];
  return details.length === 0 ? message : { ...message, reasoning_details: details };
}

function signatureOf(id: string): string {
  return [...id].reverse().join('');
}

/** Gemini's refusal of a call without its signature, which comes through (microsoft/vscode-copilot-chat#2649). */
function refuseUnsignedCalls(body: JsonObject): Refusal | undefined {
  if (!String(body['model']).startsWith('google/gemini-3')) return undefined;
  for (const message of objectsOf(body['messages'])) {
    const [call] = objectsOf(message['tool_calls']);
    const details = objectsOf(message['reasoning_details']);
    const isSigned = ({ id, data }: JsonObject) => id === call?.['id'] && data === signatureOf(String(id));
    if (!call || details.some(isSigned)) continue;
    return openAiError(400, 'Function call is missing a thought_signature in functionCall parts.');
  }
  return undefined;
}

/** Levels the providers behind it itself: it takes what OpenAI takes, and says reasoning in fields of its own. */
const openrouter: Kin = {
  refuses: refusesNothing,
  refusal: unknownField,
  rules: [refuseOrderOfMistrals, refuseUnsignedCalls],
  own: ['reasoning_effort', 'reasoning', 'top_k'],
  dressWhole: (body) => editMessages(body, 'message', withDetails),
  dress: (stream) => editChunks(stream, (chunk) => editMessages(chunk, 'delta', withDetails)),
  reasoningField: 'reasoning',
};

const fireworks: Kin = {
  refuses: refusesNothing,
  refusal: unknownField,
  own: ['reasoning_effort', 'top_k'],
  thinkTags: true,
};

/**
 * Servers that run open models: `developer` is no role of their chat templates, and another word for the limit than
 * `max_tokens` is not read, so that the answer has none.
 */
const openModels: Kin = {
  refuses: refusesNothing,
  refusal: unknownField,
  rules: [refuseRole('developer')],
  own: ['reasoning_effort', 'max_completion_tokens'],
  thinkTags: true,
};

/** Those that document `top_k`: Together's API reference, LM Studio's "OpenAI Compatibility Endpoints", vLLM behind NIM. */
const openSamplers: Kin = { ...openModels, own: [...(openModels.own ?? []), 'top_k'] };

/** Of efforts it takes its own (ollama/ollama#17141); of images those that are there; a choice of tools it does not read (its `openai/openai.go`). */
const ollama: Kin = {
  ...openModels,
  rules: [
    refuseRole('developer'),
    (body) => {
      const parts = objectsOf(body['messages']).flatMap(({ content }) => objectsOf(content));
      const images = parts.flatMap(({ image_url: image }) => (isObject(image) ? [String(image['url'])] : []));
      const isRead = (url: string) => /^data:(image\/(jpeg|jpg|png|webp))?;base64,/.test(url);
      return images.every(isRead) ? undefined : openAiError(400, 'invalid image input');
    },
    ({ reasoning, reasoning_effort: said }) => {
      const effort = isObject(reasoning) ? reasoning['effort'] : said;
      if (effort === undefined || OLLAMA_EFFORTS.includes(effort)) return undefined;
      return openAiError(
        400,
        `invalid reasoning value: '${effort}' (must be "high", "medium", "low", "max", or "none")`,
      );
    },
  ],
  own: [...(openModels.own ?? []), 'reasoning', 'tool_choice', 'parallel_tool_calls'],
};

const OLLAMA_EFFORTS: unknown[] = ['high', 'medium', 'low', 'max', 'none'];

const nvidia: Kin = { ...openSamplers, rules: [refuseRole('developer'), refuseOrderOfMistrals] };

/** vLLM reads both words. */
const vllm: Kin = { ...nvidia, own: ['reasoning_effort', 'top_k'] };

/** Open Qwen 3 thinks unless it is told not to; of what is asked whole only Qwen 3 Max and what came after thinks. */
const alibaba: Kin = {
  ...openModels,
  rules: [
    refuseRole('developer'),
    (body) => {
      const model = String(body['model']);
      const isOpen = /^qwen3-\d/.test(model) && !/instruct|coder/.test(model);
      const thinks = body['enable_thinking'] ?? isOpen;
      if (thinks === true && body['stream'] !== true && /^qwen3-\d|^qwen-(plus|flash|turbo)/.test(model))
        return openAiError(400, 'parameter.enable_thinking must be set to false for non-streaming calls');
      if (thinks !== true || forcedChoice(body) === undefined) return undefined;
      const refused =
        'The tool_choice parameter does not support being set to required or object in thinking mode';
      return openAiError(400, `<400> InternalError.Algo.InvalidParameter: ${refused}`);
    },
  ],
  own: ['enable_thinking', 'max_completion_tokens', 'top_k'],
  refuses: listed('reasoning_effort'),
  thinkTags: false,
};

export const KIN = {
  mistral,
  groq,
  cerebras,
  cohere,
  xai,
  perplexity,
  deepseek,
  moonshot,
  zai,
  openrouter,
  together: openSamplers,
  fireworks,
  nvidia,
  huggingface: openModels,
  alibaba,
  ollama,
  vllm,
  lmstudio: openSamplers,
} satisfies Record<string, Kin>;

export type KinName = keyof typeof KIN;

/** Those with `/embeddings` in OpenAI's form, by their API references. */
export const EMBEDS: ReadonlySet<KinName> = new Set<KinName>([
  ...(['alibaba', 'cohere', 'fireworks', 'groq', 'lmstudio', 'mistral', 'nvidia'] as const),
  ...(['ollama', 'openrouter', 'together', 'vllm'] as const),
]);

function refuseRole(role: string): (body: JsonObject) => Refusal | undefined {
  return (body) => {
    if (!objectsOf(body['messages']).some((message) => message['role'] === role)) return undefined;
    return openAiError(
      400,
      `unknown variant \`${role}\`, expected one of \`system\`, \`user\`, \`assistant\`, \`tool\``,
    );
  };
}

/** Throws what this server refuses; gives the body in OpenAI's words, for the rest of the fake. */
export function checkKin(kin: Kin, body: JsonValue | undefined): JsonValue | undefined {
  if (!isObject(body)) return body;
  const [field] = kin.refuses(body);
  if (field !== undefined) throw kin.refusal([field]);
  for (const [index, message] of objectsOf(body['messages']).entries()) {
    const [refused] = kin.refusesInMessage?.(message) ?? [];
    if (refused !== undefined) throw kin.refusal(['messages', index, refused]);
  }
  const choice = body['tool_choice'];
  // OpenAI's and Azure's alone: no other vendor's reference lists it among the choices.
  if (isObject(choice) && choice['type'] === 'allowed_tools') throw kin.refusal(['tool_choice']);
  for (const rule of kin.rules ?? []) {
    const refusal = rule(body);
    if (refusal) throw refusal;
  }
  return inOpenAiWords(kin, body);
}

function inOpenAiWords({ names = {}, own = [] }: Kin, body: JsonObject): JsonObject {
  const entries = Object.entries(body)
    .filter(([field]) => !own.includes(field))
    .map(([field, value]) => [names[field] ?? field, value]);
  const renamed = Object.fromEntries(entries) as JsonObject;
  if (renamed['tool_choice'] === 'any') renamed['tool_choice'] = 'required';
  const messages = objectsOf(body['messages']).map(
    ({ prefix: _, partial: __, reasoning: ___, reasoning_details: ____, ...rest }) => withOpenAiParts(rest),
  );
  return { ...renamed, messages };
}

/** Mistral's own parts, for the rest of the fake. */
function withOpenAiParts(message: JsonObject): JsonObject {
  if (!Array.isArray(message['content'])) return message;
  const content = objectsOf(message['content']).flatMap((part): JsonObject[] => {
    if (part['type'] === 'thinking') return [];
    const url = part['document_url'];
    // It looks addresses up itself, which OpenAI does not.
    if (typeof url === 'string' && /^https?:/.test(url)) return [{ type: 'text', text: `file ${url}` }];
    if (typeof url === 'string') return [{ type: 'file', file: { file_data: url } }];
    const audio = part['input_audio'];
    if (typeof audio === 'string')
      return [{ type: 'input_audio', input_audio: { data: audio, format: 'wav' } }];
    if (typeof part['file_id'] === 'string') return [{ type: 'file', file: { file_id: part['file_id'] } }];
    return [part];
  });
  return { ...message, content: content.length > 0 ? content : null };
}

function editChunks(stream: Stream, edit: (chunk: JsonObject) => JsonObject): Stream {
  const frames = stream.frames.map((frame): Frame => {
    const chunk = tryParseJson(frame.text.toString().slice('data: '.length));
    return isObject(chunk) ? { ...frame, text: `data: ${JSON.stringify(edit(chunk))}\n\n` } : frame;
  });
  return { ...stream, frames };
}
