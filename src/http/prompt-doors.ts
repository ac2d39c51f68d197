import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { passThrough as chatPassThrough } from '../dialects/chat/pass-through.ts';
import { readBoundary } from '../dialects/multipart/boundary.ts';
import { readForm } from '../dialects/multipart/read-form.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { PROMPT_ERRORS } from '../prompts/answer.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { exampleInput } from '../prompts/example-input.ts';
import { readFormInput } from '../prompts/form-input.ts';
import type { PromptBook } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { authenticated, requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { FORMATS, OUTPUT, PromptDoors } from './prompt-formats.ts';
import { forPrompt } from './prompt-models.ts';
import { takeCall } from './take-call.ts';
import { isForm } from './uploads.ts';

type Prompts = Pick<PromptBook, 'find' | 'list'>;

/** Where errors are told before it is known which prompt is called. */
const UNKNOWN: Door = { dialect: PROMPT_ERRORS, operation: 'generate', passThrough: chatPassThrough };

/** Prompts as endpoints: the body is the input, the answer is the output. */
export function addPromptDoors(
  app: FastifyInstance,
  { gateway, lifecycle, prompts }: { gateway: Gateway; lifecycle: Lifecycle; prompts: Prompts },
): void {
  const doors = new PromptDoors();
  app.register(async (routes) => {
    requireKey(routes, { gateway, lifecycle, readKey: readGuessedKey });
    const config = { dialect: PROMPT_ERRORS, door: UNKNOWN };
    routes.get('/v1/prompts', { config }, async (request) => {
      const caller = authenticated(request.caller);
      const callable = prompts.list().filter(({ name }) => caller.mayPrompt(name));
      return { object: 'list', data: callable.map(describe) };
    });
    routes.get('/v1/prompts/*', { config }, async (request) => {
      const prompt = findPrompt(prompts, authenticated(request.caller), nameIn(request));
      const { input, inputDefaults } = prompt;
      return { ...describe(prompt), example: exampleInput(input?.schema, inputDefaults) ?? null };
    });
    addCallDoor(routes, '/v1/prompts/*', config, (request, reply) => {
      const prompt = findPrompt(prompts, authenticated(request.caller), nameIn(request));
      takePrompt(gateway, prompt, doors, request, reply).catch((thrown) => reply.send(thrown));
    });
  });
}

async function takePrompt(
  gateway: Gateway,
  prompt: Prompt,
  doors: PromptDoors,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const caller = authenticated(request.caller);
  const { stream: said, format, ...overrides } = readQuery(request);
  const door = doors.find(prompt, format ?? OUTPUT);
  if (!door) throw invalidRequest(`'format' is one of ${FORMATS.join(', ')}.`, 'format');
  if (prompt.tools.length > 0 && (format ?? OUTPUT) === OUTPUT) throw hasTools(prompt);
  const accepts = request.headers.accept?.includes('text/event-stream') === true;
  const stream = said === undefined ? accepts : said === 'true';
  const { promptModel } = request.snapshot ?? gateway.snapshot;
  const chatRequest = await makeChatRequest(
    prompt,
    { input: readInput(prompt, request), overrides, stream },
    promptModel,
  );
  takeCall(gateway, door, request, reply, {
    body: Buffer.from(JSON.stringify(chatRequest)),
    caller: forPrompt(caller, prompt, promptModel),
  });
}

/** An answer that calls tools has no output. */
function hasTools({ name }: Prompt): GatewayError {
  const forms = FORMATS.filter((format) => format !== OUTPUT).map((format) => `?format=${format}`);
  return invalidRequest(
    `The prompt '${name}' has tools, and an answer that calls them is no output. Ask for ${forms.join(', ')}.`,
    'format',
    'format_required',
  );
}

function nameIn({ params }: FastifyRequest): string {
  return (params as { '*': string })['*'];
}

/** A prompt that the caller may not call is not there for it, so the answer tells nothing about what others have. */
function findPrompt(prompts: Prompts, caller: Caller, name: string): Prompt {
  const prompt = caller.mayPrompt(name) ? prompts.find(name) : undefined;
  if (prompt) return prompt;
  throw new GatewayError(
    'not_found',
    `The prompt '${name}' does not exist or this key may not call it. GET /v1/prompts lists those of your key.`,
    { code: 'prompt_not_found' },
  );
}

function readQuery({ query }: FastifyRequest): Record<string, string> {
  const values = isObject(query) ? Object.entries(query) : [];
  return Object.fromEntries(values.map(([name, value]) => [name, lastOf(value)]));
}

function lastOf(value: JsonValue | undefined): string {
  return String(Array.isArray(value) ? value.at(-1) : value);
}

function readInput(prompt: Prompt, { body, headers }: FastifyRequest): JsonObject {
  const contentType = headers['content-type'] ?? '';
  if (isForm(contentType) && Buffer.isBuffer(body))
    return readFormInput(prompt, readForm(body, readBoundary(contentType)));
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : '';
  if (text === '') return {};
  const input = tryParseJson(text);
  if (!isObject(input)) throw invalidRequest('The body must be a JSON object: the input of the prompt.');
  return input;
}

function describe(prompt: Prompt): JsonObject {
  const { name, description, input, output, takesHistory, overrides, tools } = prompt;
  return {
    ...{ object: 'prompt', name, description: description ?? null },
    input: input?.schema ?? null,
    output: { format: output.format, schema: output.check?.schema ?? null },
    ...{ history: takesHistory, tools: tools.length > 0, overrides: [...overrides] },
  };
}
