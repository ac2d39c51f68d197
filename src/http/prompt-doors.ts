import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { passThrough as chatPassThrough } from '../dialects/chat/pass-through.ts';
import { readBoundary } from '../dialects/multipart/boundary.ts';
import { readForm } from '../dialects/multipart/read-form.ts';
import { readSubject } from '../gateway/choose-side.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import type { Caller, Snapshot } from '../gateway/snapshot.ts';
import { PROMPT_ERRORS } from '../prompts/answer.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { readFormInput } from '../prompts/form-input.ts';
import type { PromptBook, PublishedPrompt } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { parseInput } from '../prompts/written-number.ts';
import { authenticated, requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { readGuessedKey } from './caller-dialect.ts';
import { describePrompt, describeRetired, describeVersions } from './describe-prompt.ts';
import type { Lifecycle } from './lifecycle.ts';
import { openPrompt } from './open-prompt.ts';
import type { PromptCache } from './prompt-cache.ts';
import { FORMATS, OUTPUT, PromptDoors } from './prompt-formats.ts';
import { forPrompt } from './prompt-models.ts';
import { type PreparedPrompt, preparePrompt } from './prompt-sides.ts';
import { beginCall } from './take-call.ts';
import { isForm } from './uploads.ts';

type Prompts = Pick<PromptBook, 'open' | 'record' | 'list'>;

/** Where errors are told before it is known which prompt is called. */
const UNKNOWN: Door = { dialect: PROMPT_ERRORS, operation: 'generate', passThrough: chatPassThrough };

/** Prompts as endpoints: the body is the input, the answer is the output. */
export function addPromptDoors(
  app: FastifyInstance,
  {
    gateway,
    lifecycle,
    prompts,
    promptCache,
  }: { gateway: Gateway; lifecycle: Lifecycle; prompts: Prompts; promptCache: PromptCache },
): void {
  const doors = new PromptDoors();
  app.register(async (routes) => {
    requireKey(routes, { gateway, lifecycle, readKey: readGuessedKey });
    const config = { dialect: PROMPT_ERRORS, door: UNKNOWN };
    routes.get('/v1/prompts', { config }, async (request) => {
      const caller = authenticated(request.caller);
      const callable = prompts.list().filter(({ name }) => caller.mayPrompt(name));
      return { object: 'list', data: callable.map(describePrompt) };
    });
    routes.get('/v1/prompts/*', { config }, async (request) => {
      const found = await openPrompt(prompts, authenticated(request.caller), referenceIn(request));
      return found.state === 'retired' ? describeRetired(found) : describeVersions(found.prompt);
    });
    addCallDoor(routes, '/v1/prompts/*', config, (request, reply) => {
      takePrompt({ gateway, prompts, promptCache, doors }, request, reply).catch((thrown) =>
        reply.send(thrown),
      );
    });
  });
}

/** What stands behind the doors. */
interface Served {
  gateway: Gateway;
  prompts: Prompts;
  promptCache: PromptCache;
  doors: PromptDoors;
}

async function takePrompt(
  { gateway, prompts, promptCache, doors }: Served,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const caller = authenticated(request.caller);
  const snapshot = request.snapshot ?? gateway.snapshot;
  const reference = referenceIn(request);
  const subject = () => readSubject(caller, request.headers, {});
  const prepared = await preparePrompt({ prompts, snapshot, caller, reference, subject }, (prompt) =>
    prepareVersion(doors, snapshot, caller, request, prompt),
  );
  const call = beginCall(gateway, prepared.door, request, reply, prepared);
  if (!call) return;
  if (prepared.prompt.cacheMs === undefined) handleCall(gateway, call);
  else handleCall(gateway, call, () => promptCache.findOrWatch(call, prepared));
}

/** What a version makes of a request. */
async function prepareVersion(
  doors: PromptDoors,
  { promptModel }: Snapshot,
  caller: Caller,
  request: FastifyRequest,
  prompt: PublishedPrompt,
): Promise<PreparedPrompt> {
  const { stream: said, format, ...overrides } = readQuery(request);
  const door = doors.find(prompt, format ?? OUTPUT);
  if (!door) throw invalidRequest(`'format' is one of ${FORMATS.join(', ')}.`, 'format');
  if (prompt.tools.length > 0 && (format ?? OUTPUT) === OUTPUT) throw hasTools(prompt);
  const accepts = request.headers.accept?.includes('text/event-stream') === true;
  const stream = said === undefined ? accepts : said === 'true';
  const input = readInput(prompt, request);
  const chatRequest = await makeChatRequest(prompt, { input, overrides, stream }, promptModel);
  const body = Buffer.from(JSON.stringify(chatRequest));
  return { prompt, door, chatRequest, body, caller: forPrompt(caller, prompt, promptModel) };
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

/** `NAME`, or `NAME@VERSION`. */
function referenceIn({ params }: FastifyRequest): string {
  return (params as { '*': string })['*'];
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
  const input = parseInput(text);
  if (!isObject(input)) throw invalidRequest('The body must be a JSON object: the input of the prompt.');
  return input;
}
