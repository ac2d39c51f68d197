import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { passThrough as chatPassThrough } from '../dialects/chat/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { PROMPT_ERRORS } from '../prompts/answer.ts';
import type { AnswerCache } from '../prompts/answer-cache.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import type { PromptBook } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { authenticated, requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeThroughCache } from './prompt-cache.ts';
import { FORMATS, OUTPUT, PromptDoors } from './prompt-formats.ts';
import { takeCall } from './take-call.ts';

type Prompts = Pick<PromptBook, 'find' | 'list'>;

/** Where errors are told before it is known which prompt is called. */
const UNKNOWN: Door = { dialect: PROMPT_ERRORS, operation: 'generate', passThrough: chatPassThrough };

/** Prompts as endpoints: the body is the input, the answer is the output. */
export function addPromptDoors(
  app: FastifyInstance,
  {
    gateway,
    lifecycle,
    prompts,
    promptAnswers,
  }: { gateway: Gateway; lifecycle: Lifecycle; prompts: Prompts; promptAnswers: AnswerCache },
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
    routes.get('/v1/prompts/*', { config }, async (request) =>
      describe(findPrompt(prompts, authenticated(request.caller), nameIn(request))),
    );
    addCallDoor(routes, '/v1/prompts/*', config, (request, reply) => {
      const prompt = findPrompt(prompts, authenticated(request.caller), nameIn(request));
      takePrompt({ gateway, promptAnswers }, prompt, doors, request, reply).catch((thrown) =>
        reply.send(thrown),
      );
    });
  });
}

async function takePrompt(
  { gateway, promptAnswers }: { gateway: Gateway; promptAnswers: AnswerCache },
  prompt: Prompt,
  doors: PromptDoors,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const caller = authenticated(request.caller);
  const { stream: said, format, ...overrides } = readQuery(request);
  const door = doors.find(prompt, format ?? OUTPUT);
  if (!door) throw invalidRequest(`'format' is one of ${FORMATS.join(', ')}.`, 'format');
  const accepts = request.headers.accept?.includes('text/event-stream') === true;
  const stream = said === undefined ? accepts : said === 'true';
  const { promptModel } = request.snapshot ?? gateway.snapshot;
  const chatRequest = await makeChatRequest(
    prompt,
    { input: readInput(request), overrides, stream },
    promptModel,
  );
  const own = prompt.model ?? promptModel;
  // Who may call a prompt may have it call the model that it names.
  const calling: Caller = { ...caller, mayCall: (name) => name === own || caller.mayCall(name) };
  if (prompt.cacheMs === undefined) {
    takeCall(gateway, door, request, reply, {
      body: Buffer.from(JSON.stringify(chatRequest)),
      caller: calling,
    });
    return;
  }
  const cached = { prompt, ttlMs: prompt.cacheMs, door, chatRequest, caller: calling };
  await takeThroughCache(gateway, promptAnswers, cached, request, reply);
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

function readInput({ body }: FastifyRequest): JsonObject {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : '';
  if (text === '') return {};
  const input = tryParseJson(text);
  if (!isObject(input)) throw invalidRequest('The body must be a JSON object: the input of the prompt.');
  return input;
}

function describe({ name, description, input, output }: Prompt): JsonObject {
  return {
    ...{ object: 'prompt', name, description: description ?? null },
    input: input?.schema ?? null,
    output: { format: output.format, schema: output.check?.schema ?? null },
  };
}
