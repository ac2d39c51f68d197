import { type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { type ModelAnswer, runModel } from './fake-model.ts';
import { FakeResponses } from './fake-openai-responses.ts';
import {
  type AnswerCall,
  type FakeOptions,
  type FakeProvider,
  type IncomingCall,
  startFake,
} from './fake-provider.ts';
import { jsonReply, type Reply, type Stream, streamReply } from './fake-reply.ts';
import { readScript } from './fake-script.ts';
import { answerCompletions, COMPLETION_MODELS, hasCompletionsAt, notChat } from './openai/completions.ts';
import { answerEmbeddings } from './openai/embeddings.ts';
import { badParameter, modelNotFound, openAiError, responsesOnly, throwFailure } from './openai/errors.ts';
import { startKeeping } from './openai/kept.ts';
import { checkKin, EMBEDS, isThoughtless, KIN, type Kin, type KinName } from './openai/kin.ts';
import { MEDIA_ROUTES } from './openai/media.ts';
import { CHAT_MODELS, EMBEDDING_MODELS, RESPONSES_MODELS } from './openai/models.ts';
import { readChatRequest } from './openai/reading.ts';
import { checkChatRequest } from './openai/rules.ts';
import { type Envelope, writeCompletion, writeStream } from './openai/writing.ts';
import type { Refusal } from './refusal.ts';

export interface FakeOpenAiOptions extends FakeOptions {
  /** Behaves as an OpenAI-compatible server with a reasoning model: takes and shows `reasoning_content`. */
  compatible?: boolean;
  /** Behaves as this server of OpenAI's kin, which is compatible, too. */
  kin?: KinName;
}

const HEADERS = {
  'openai-organization': 'org-fake',
  'openai-processing-ms': '12',
  'openai-version': '2020-10-01',
  'x-request-id': 'req_fake',
  'x-ratelimit-limit-requests': '10000',
  'x-ratelimit-remaining-requests': '9999',
  'x-ratelimit-limit-tokens': '2000000',
  'x-ratelimit-remaining-tokens': '1999000',
};

/**
 * A strict OpenAI: `POST /v1/chat/completions`, `POST /v1/completions`, `POST /v1/embeddings`, `GET /v1/models[/ID]`, and unless it is only a
 * compatible server `/v1/responses`. It refuses what the real
 * API refuses, with its status and words, and answers the rest with the fake model's script (`fake-script.ts`).
 */
export function startFakeOpenAi(options: FakeOpenAiOptions = {}): Promise<FakeProvider> {
  const apiKey = options.apiKey ?? 'sk-fake-openai-key';
  return startFake({ basePath: '/v1', answer: createOpenAi(options, apiKey) }, options, apiKey);
}

/** What this API answers, for fakes that have it at another address. */
export function createOpenAi(options: FakeOpenAiOptions, apiKey: string): AnswerCall {
  const served = options.kin ? { ...options, compatible: true } : options;
  let calls = 0;
  const nextId = (prefix: string): string => {
    calls += 1;
    return `${prefix}${String(calls).padStart(24, '0')}`;
  };
  const responses = served.compatible
    ? undefined
    : new FakeResponses({
        models: [...CHAT_MODELS, ...RESPONSES_MODELS, ...(options.models ?? [])],
        ...{ owner: apiKey, nextId },
      });
  const answerKept = startKeeping(served.compatible);
  return (call: IncomingCall): Reply => {
    checkKey(call, apiKey);
    const response = responses?.answer(call);
    if (response) return response;
    const kept = answerKept(call, () => parseBody(call), readScript(call.behaviour).disruption);
    if (kept) return kept;
    const route = ROUTES.find(({ path }) => path.test(call.path));
    if (!route) throw openAiError(404, `Invalid URL (${call.method} ${call.path})`);
    if (route.method !== call.method) throw wrongMethod(call);
    return route.answer(call, served, nextId);
  };
}

interface Route {
  method: string;
  path: RegExp;
  answer: (call: IncomingCall, options: FakeOpenAiOptions, nextId: (prefix: string) => string) => Reply;
}

const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/v1\/chat\/completions$/, answer: answerChat },
  {
    method: 'POST',
    path: /^\/(v1|beta)\/completions$/,
    answer: (call, { kin, compatible }, nextId) => {
      if (!hasCompletionsAt(call.path, kin)) throw openAiError(404, `Invalid URL (POST ${call.path})`);
      return answerCompletions(call, parseBody(call), { isOwn: !compatible, id: nextId('cmpl-') });
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/embeddings$/,
    answer: (call, { kin }) => {
      if (kin && !EMBEDS.has(kin)) throw openAiError(404, `Invalid URL (POST ${call.path})`);
      const { disruption } = readScript(call.behaviour);
      const body = answerEmbeddings(parseBody(call));
      throwFailure(disruption);
      return jsonReply(body, disruption, HEADERS);
    },
  },
  ...MEDIA_ROUTES.map(({ path, answer }) => ({
    method: 'POST',
    path,
    answer: (call: IncomingCall) => {
      const { disruption } = readScript(call.behaviour);
      return answer(call, () => parseBody(call), disruption);
    },
  })),
  {
    method: 'GET',
    path: /^\/v1\/models$/,
    answer: (call, options) => {
      const { disruption } = readScript(call.behaviour);
      throwFailure(disruption);
      const data = modelNames(options).map(describeModel);
      return jsonReply({ object: 'list', data }, disruption, HEADERS);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/models\/[^/]+$/,
    answer: (call, options) => {
      const name = call.path.slice('/v1/models/'.length);
      if (!modelNames(options).includes(name)) throw modelNotFound(name);
      return jsonReply(describeModel(name), {}, HEADERS);
    },
  },
];

function answerChat(
  call: IncomingCall,
  options: FakeOpenAiOptions,
  nextId: (prefix: string) => string,
): Reply {
  const kin: Kin | undefined = options.kin && KIN[options.kin];
  const body = parseBody(call);
  const request = checkChatRequest(kin ? checkKin(kin, body) : body, options);
  const model = String(request['model']);
  if (!options.compatible && RESPONSES_MODELS.includes(model)) throw responsesOnly();
  if (!options.compatible && COMPLETION_MODELS.includes(model)) throw notChat();
  if (!modelNames(options).includes(model) || EMBEDDING_MODELS.has(model)) throw modelNotFound(model);
  const read = readChatRequest(request, options);
  if (kin?.thinksWithTools && isThoughtless(body)) read.reasoning = 'off';
  if (kin?.thinksWithTools && read.tools.length > 0 && read.reasoning !== 'off')
    read.reasoning = 'every round';
  const answer = runModel(read, call.behaviour);
  throwFailure(answer.disruption);
  const envelope = {
    id: nextId('chatcmpl-'),
    model,
    request,
    nextCallId: () => nextId('call_'),
    showReasoning: kin?.thinkTags ? 'in tags' : (kin?.reasoningField ?? options.compatible === true),
  } satisfies Envelope;
  const reply =
    request['stream'] === true
      ? streamReply(dressStream(kin, writeStream(answer, envelope), answer), answer.disruption, {
          ...HEADERS,
          'content-type': 'text/event-stream; charset=utf-8',
        })
      : jsonReply(dressWhole(kin, writeCompletion(answer, envelope)), answer.disruption, HEADERS);
  return { ...reply, usage: answer.usage };
}

function dressStream(kin: Kin | undefined, stream: Stream, answer: ModelAnswer): Stream {
  return kin?.dress?.(stream, answer) ?? stream;
}

function dressWhole(kin: Kin | undefined, body: JsonObject): JsonObject {
  return kin?.dressWhole?.(body) ?? body;
}

function checkKey({ headers }: IncomingCall, apiKey: string): void {
  const given = headers['authorization'];
  if (given === undefined) {
    throw openAiError(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from https://platform.openai.com/account/api-keys.",
    );
  }
  if (given === `Bearer ${apiKey}`) return;
  const shown = given.replace(/^Bearer /, '').replace(/^(.{3}).*(.{4})$/, '$1***$2');
  throw openAiError(
    401,
    `Incorrect API key provided: ${shown}. You can find your API key at https://platform.openai.com/account/api-keys.`,
    { code: 'invalid_api_key' },
  );
}

/** A body that is not sent as JSON is read as an empty form: then it is the model that is missing. */
function parseBody(call: IncomingCall): JsonValue | undefined {
  if (!call.headers['content-type']?.startsWith('application/json')) return undefined;
  const body = tryParseJson(call.rawBody.toString('utf8'));
  if (body !== undefined) return body;
  throw badParameter(
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
    null,
  );
}

function wrongMethod(call: IncomingCall): Refusal {
  return openAiError(
    405,
    `Not allowed to ${call.method} on ${call.path} (HINT: Perhaps you meant to use a different HTTP method?)`,
  );
}

function modelNames(options: FakeOpenAiOptions): string[] {
  const own = options.compatible ? [] : [...RESPONSES_MODELS, ...COMPLETION_MODELS];
  return [...CHAT_MODELS, ...own, ...EMBEDDING_MODELS.keys(), ...(options.models ?? [])];
}

function describeModel(id: string): JsonObject {
  return { id, object: 'model', created: 1_715_367_049, owned_by: 'system' };
}
