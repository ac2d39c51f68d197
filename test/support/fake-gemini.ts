import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { runModel, totalInput } from './fake-model.ts';
import {
  type AnswerCall,
  type FakeOptions,
  type FakeProvider,
  type IncomingCall,
  startFake,
} from './fake-provider.ts';
import { type Reply, streamReply } from './fake-reply.ts';
import { type Disruption, readScript } from './fake-script.ts';
import { answerBatchEmbed, answerEmbed } from './gemini/embeddings.ts';
import { googleError, invalidArgument, modelNotFound, throwFailure } from './gemini/errors.ts';
import { GEMINI_EMBEDDING_MODELS, GEMINI_MODELS } from './gemini/models.ts';
import { readGenerateRequest } from './gemini/reading.ts';
import { COUNT_TOKENS_REQUEST } from './gemini/request-shape.ts';
import { checkGenerateRequest, checkShape } from './gemini/rules.ts';
import { writeResponse, writeStream } from './gemini/writing.ts';
import { createSigner, type Signer } from './signatures.ts';

interface Server {
  options: FakeOptions;
  signer: Signer;
  nextId: (prefix: string) => string;
}

/**
 * A strict Gemini: `:generateContent`, `:streamGenerateContent` (with `alt=sse` or as a JSON array), `:countTokens`,
 * `:embedContent`, `:batchEmbedContents` and the list of models, under `/v1`, `/v1beta` and `/v1alpha` alike. It refuses
 * what the real API refuses, with its status and words, and answers the rest with the fake model's script
 * (`fake-script.ts`).
 */
export function startFakeGemini(options: FakeOptions = {}): Promise<FakeProvider> {
  const apiKey = options.apiKey ?? 'fake-gemini-key';
  return startFake({ basePath: '', answer: createGemini(options, apiKey) }, options, apiKey);
}

/** What this API answers, for fakes that have it at another address. */
export function createGemini(options: FakeOptions, apiKey: string): AnswerCall {
  let calls = 0;
  const server: Server = {
    options,
    signer: createSigner(apiKey),
    nextId: (prefix) => {
      calls += 1;
      return `${prefix}${String(calls).padStart(8, '0')}`;
    },
  };
  return (call: IncomingCall): Reply => {
    checkKey(call, apiKey);
    const match = /^\/(?:v1|v1beta|v1alpha)\/models(?:\/([^/:]+)(?::([A-Za-z]+))?)?$/.exec(call.path);
    const route = match ? ROUTES[`${call.method} ${match[2] ?? (match[1] ? 'one' : 'all')}`] : undefined;
    return route ? route(call, match?.[1] ?? '', server) : notFound(call);
  };
}

type Route = (call: IncomingCall, model: string, server: Server) => Reply;

const ROUTES: Readonly<Record<string, Route>> = {
  'POST generateContent': (call, model, server) => generate(call, model, server, 'generateContent'),
  'POST streamGenerateContent': (call, model, server) =>
    generate(call, model, server, 'streamGenerateContent'),
  'POST countTokens': (call, model, server) => {
    checkModel(model, 'countTokens', server);
    const request = checkShape(parseBody(call), COUNT_TOKENS_REQUEST);
    const whole = isObject(request['generateContentRequest']) ? request['generateContentRequest'] : request;
    const checked = checkGenerateRequest(whole, { model, signer: server.signer });
    const answer = runModel(readGenerateRequest(checked, model), call.behaviour);
    throwFailure(answer.disruption);
    const totalTokens = totalInput(answer.usage);
    const promptTokensDetails = [{ modality: 'TEXT', tokenCount: totalTokens }];
    return prettyReply({ totalTokens, promptTokensDetails }, answer.disruption);
  },
  'POST embedContent': (call, model) => embed(call, () => answerEmbed(parseBody(call), model)),
  'POST batchEmbedContents': (call, model) => embed(call, () => answerBatchEmbed(parseBody(call), model)),
  'GET all': (call, _model, server) => {
    const { disruption } = readScript(call.behaviour);
    throwFailure(disruption);
    return prettyReply({ models: modelNames(server).map(describeModel) }, disruption);
  },
  'GET one': (_call, model, server) => {
    checkModel(model, 'getModel', server);
    return prettyReply(describeModel(model), {});
  },
};

function generate(call: IncomingCall, model: string, server: Server, method: string): Reply {
  checkModel(model, method, server);
  if (GEMINI_EMBEDDING_MODELS.has(model)) throw modelNotFound(model, method);
  const request = checkGenerateRequest(parseBody(call), { model, signer: server.signer });
  const answer = runModel(readGenerateRequest(request, model), call.behaviour);
  throwFailure(answer.disruption);
  const envelope = {
    id: server.nextId('fake-response-'),
    model,
    request,
    signer: server.signer,
    nextCallId: () => server.nextId(''),
  };
  const { disruption, usage } = answer;
  if (method === 'generateContent')
    return { ...prettyReply(writeResponse(answer, envelope), disruption), usage };
  const sse = call.query.get('alt') === 'sse';
  const type = sse ? 'text/event-stream' : 'application/json; charset=UTF-8';
  const reply = streamReply(writeStream(answer, envelope, sse), disruption, { 'content-type': type });
  return { ...reply, usage };
}

function embed(call: IncomingCall, answer: () => JsonObject): Reply {
  const { disruption } = readScript(call.behaviour);
  const body = answer();
  throwFailure(disruption);
  return prettyReply(body, disruption);
}

/** zeroclaw-labs/zeroclaw#194 and openai-gemini#92 for the words. A wrong key is a 400 here. */
function checkKey({ headers, query }: IncomingCall, apiKey: string): void {
  const given = headers['x-goog-api-key'] ?? query.get('key');
  if (given === undefined || given === null) {
    throw googleError(
      403,
      'PERMISSION_DENIED',
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    );
  }
  if (given === apiKey) return;
  const message = 'API key not valid. Please pass a valid API key.';
  throw invalidArgument(message, [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'API_KEY_INVALID',
      domain: 'googleapis.com',
      metadata: { service: 'generativelanguage.googleapis.com' },
    },
    { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message },
  ]);
}

function parseBody({ rawBody }: IncomingCall): JsonValue {
  const body = tryParseJson(rawBody.toString('utf8'));
  if (body !== undefined) return body;
  throw invalidArgument('Invalid JSON payload received. Unexpected token.\n^');
}

/** Google's front end answers unknown paths itself, in HTML. */
function notFound({ path }: IncomingCall): Reply {
  return {
    status: 404,
    headers: { 'content-type': 'text/html; charset=UTF-8' },
    body: `<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL <code>${encodeURI(path)}</code> was not found on this server.\n`,
    disruption: {},
  };
}

function checkModel(model: string, method: string, server: Server): void {
  if (!modelNames(server).includes(model)) throw modelNotFound(model, method);
}

function modelNames({ options }: Server): string[] {
  return [...GEMINI_MODELS, ...GEMINI_EMBEDDING_MODELS.keys(), ...(options.models ?? [])];
}

function describeModel(name: string): JsonObject {
  const embeds = GEMINI_EMBEDDING_MODELS.has(name);
  return {
    name: `models/${name}`,
    version: '001',
    displayName: name,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: embeds
      ? ['embedContent', 'batchEmbedContents']
      : ['generateContent', 'countTokens'],
  };
}

/** Google prints whole answers for people. */
function prettyReply(body: JsonObject, disruption: Disruption): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    body: `${JSON.stringify(body, null, 2)}\n`,
    disruption,
  };
}
