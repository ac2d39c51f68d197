import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { geminiEmbedding } from '../dialects/gemini/embeddings.ts';
import { gemini } from '../dialects/gemini/index.ts';
import { arrayPassThrough, geminiArray } from '../dialects/gemini/json-array.ts';
import { countPassThrough, embedPassThrough, passThrough } from '../dialects/gemini/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { queryValue, readGoogleKey } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

export const GENERATE: Door = { dialect: gemini, operation: 'generate', passThrough };
const STREAM_ARRAY: Door = {
  dialect: geminiArray,
  operation: 'generate',
  passThrough: arrayPassThrough,
  streamType: 'application/json; charset=utf-8',
};

/** What may stand behind a model's name. */
const METHODS = new Map<string, Door>([
  ['generateContent', GENERATE],
  ['streamGenerateContent', GENERATE],
  ['countTokens', { dialect: gemini, operation: 'count', passThrough: countPassThrough }],
  [
    'embedContent',
    {
      dialect: gemini,
      operation: 'embed',
      passThrough: embedPassThrough,
      relaysAs: 'embed_one',
      embeddings: geminiEmbedding,
    },
  ],
  ['batchEmbedContents', { dialect: gemini, operation: 'embed', passThrough: embedPassThrough }],
]);

/** Their names. */
export const GEMINI_METHODS: readonly string[] = [...METHODS.keys()];

/**
 * The versions of the API are one to us. Below `/v1`, which is OpenAI's too, only models are looked for; below the others
 * every name is one of a model: `@google/generative-ai` puts `models/` only before names without a slash.
 */
const PATHS = [
  { path: '/v1beta/*', prefix: '' },
  { path: '/v1alpha/*', prefix: '' },
  { path: '/v1/models/*', prefix: '' },
  { path: '/v1/tunedModels/*', prefix: 'tunedModels/' },
];

/** The doors that Google's clients know. */
export function addGeminiDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    const config = { dialect: gemini, door: doorOf };
    requireKey(doors, { gateway, lifecycle, readKey: readGoogleKey });
    for (const { path, prefix } of PATHS) {
      // Model ids hold slashes ("openai/gpt-4.1"), encoded or not, and colons.
      addCallDoor(doors, path, config, (request, reply) => takeMethod(gateway, prefix, request, reply));
    }
  });
}

/** What stands behind the version: a name, a colon and a method. */
function readMethod({ params }: FastifyRequest): { rest: string; colon: number; method: string } {
  const { '*': rest } = params as { '*': string };
  const colon = rest.lastIndexOf(':');
  return { rest, colon, method: rest.slice(colon + 1) };
}

function doorOf(request: FastifyRequest): Door | undefined {
  const { colon, method } = readMethod(request);
  return colon === -1 ? undefined : METHODS.get(method);
}

function takeMethod(gateway: Gateway, prefix: string, request: FastifyRequest, reply: FastifyReply): void {
  const door = doorOf(request);
  if (!door) {
    throw new GatewayError(
      'not_found',
      `A model has no such method. It has ${GEMINI_METHODS.join(', ')}, behind its name and a colon.`,
      { code: 'unknown_method' },
    );
  }
  const { rest, colon, method } = readMethod(request);
  const stream = method === 'streamGenerateContent';
  const model = prefix + rest.slice(0, colon).replace(/^models\//, '');
  const address = { model, stream };
  takeCall(gateway, stream ? streamDoor(request) : door, request, reply, { address });
}

/** `alt` (or `$alt`) says in what form a stream comes. Source: Google API system parameters. */
function streamDoor({ query }: FastifyRequest): Door {
  const form = queryValue(query, 'alt') ?? queryValue(query, '$alt') ?? 'json';
  if (form === 'sse') return GENERATE;
  if (form === 'json') return STREAM_ARRAY;
  throw invalidRequest("'alt' must be 'sse' or 'json'.", 'alt');
}
