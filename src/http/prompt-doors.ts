import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { decodeUtf8 } from '../conversation/utf8.ts';
import { passThrough as chatPassThrough } from '../dialects/chat/pass-through.ts';
import { readBoundary } from '../dialects/multipart/boundary.ts';
import { readForm } from '../dialects/multipart/read-form.ts';
import { badUtf8 } from '../dialects/request-fields.ts';
import { readSubject } from '../gateway/choose-side.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import type { Caller, Snapshot } from '../gateway/snapshot.ts';
import { openPrompt } from '../prompt-calls/open-prompt.ts';
import type { PromptCache } from '../prompt-calls/prompt-cache.ts';
import { FORMATS, OUTPUT, PromptDoors, recordedName } from '../prompt-calls/prompt-formats.ts';
import { forPrompt } from '../prompt-calls/prompt-models.ts';
import { type PreparedPrompt, preparePrompt } from '../prompt-calls/prompt-sides.ts';
import { PROMPT_ERRORS } from '../prompts/answer.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { readFormInput } from '../prompts/form-input.ts';
import type { PromptBook, PublishedPrompt } from '../prompts/prompt-book.ts';
import { makeChatRequest } from '../prompts/prompt-call.ts';
import { readPromptQuery } from '../prompts/query.ts';
import type { PromptVersion } from '../prompts/versions.ts';
import { parseInput } from '../prompts/written-number.ts';
import { authenticated, requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { readGuessedKey } from './caller-dialect.ts';
import { describePrompt, describeRetired, describeVersions } from './describe-prompt.ts';
import type { Lifecycle } from './lifecycle.ts';
import { beginCall } from './take-call.ts';
import { isForm } from './uploads.ts';

type Prompts = Pick<PromptBook, 'open' | 'record' | 'list'>;

/** Where errors are told before the prompt that is called has made a call of it. */
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
  const called = new WeakMap<FastifyRequest, PromptVersion>();
  const doorOf = (request: FastifyRequest): Door => {
    const version = called.get(request);
    return version ? { ...UNKNOWN, prompt: recordedName(version) } : UNKNOWN;
  };
  app.register(async (routes) => {
    requireKey(routes, { gateway, lifecycle, readKey: readGuessedKey });
    const config = { dialect: PROMPT_ERRORS, door: doorOf };
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
      takePrompt({ gateway, prompts, promptCache, doors, called }, request, reply).catch((thrown) =>
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
  /** By request: those that are refused are recorded by it. */
  called: WeakMap<FastifyRequest, PromptVersion>;
}

async function takePrompt(
  { gateway, prompts, promptCache, doors, called }: Served,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const caller = authenticated(request.caller);
  const snapshot = request.snapshot ?? gateway.snapshot;
  const reference = referenceIn(request);
  const subject = () => readSubject(caller, request.headers, {});
  const onFound = (version: PromptVersion) => called.set(request, version);
  const prepared = await preparePrompt({ prompts, snapshot, caller, reference, subject, onFound }, (prompt) =>
    prepareVersion({ doors, promptCache }, snapshot, caller, request, prompt),
  );
  const call = beginCall(gateway, prepared.door, request, reply, prepared);
  if (call) handleCall(gateway, call, prepared.prepare);
}

/** What a version makes of a request. */
async function prepareVersion(
  { doors, promptCache }: Pick<Served, 'doors' | 'promptCache'>,
  { promptModel }: Snapshot,
  caller: Caller,
  request: FastifyRequest,
  prompt: PublishedPrompt,
): Promise<PreparedPrompt> {
  const { stream: said, format, overrides } = readPromptQuery(prompt, request.query);
  const door = doors.find(prompt, format ?? OUTPUT);
  if (!door) throw invalidRequest(`'format' is one of ${FORMATS.join(', ')}.`, 'format');
  if (prompt.tools.length > 0 && (format ?? OUTPUT) === OUTPUT) throw hasTools(prompt);
  const accepts = request.headers.accept?.includes('text/event-stream') === true;
  const asked = { input: readInput(prompt, request), overrides, stream: said ?? accepts };
  const chatRequest = await makeChatRequest(prompt, asked, promptModel);
  const body = Buffer.from(JSON.stringify(chatRequest));
  const prepare = promptCache.prepareFor({ prompt, chatRequest });
  return { prompt, door, chatRequest, body, caller: forPrompt(caller, prompt, promptModel), prepare };
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

function readInput(prompt: Prompt, { body, headers }: FastifyRequest): JsonObject {
  const contentType = headers['content-type'] ?? '';
  if (isForm(contentType) && Buffer.isBuffer(body))
    return readFormInput(prompt, readForm(body, readBoundary(contentType)));
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  const text = decodeUtf8(body);
  if (text === undefined) throw badUtf8(body);
  const input = parseInput(text);
  if (input === undefined)
    throw invalidRequest(
      'The body is no valid JSON: send the input of the prompt as a JSON object, or as a form (multipart/form-data).',
    );
  if (!isObject(input)) throw invalidRequest('The body must be a JSON object: the input of the prompt.');
  return input;
}
