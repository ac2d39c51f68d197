import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { Comparisons } from './anthropic/comparisons.ts';
import { anthropicError, invalid, throwFailure } from './anthropic/errors.ts';
import { CLAUDE_MODELS } from './anthropic/models.ts';
import { readMessagesRequest } from './anthropic/reading.ts';
import {
  type AnthropicRuleContext,
  API_VERSIONS,
  checkCountTokensRequest,
  checkMessagesRequest,
} from './anthropic/rules.ts';
import { MessageThreads } from './anthropic/threads.ts';
import { writeContent, writeMessage, writeStream } from './anthropic/writing.ts';
import { runModel, totalInput } from './fake-model.ts';
import {
  type AnswerCall,
  type FakeOptions,
  type FakeProvider,
  type IncomingCall,
  startFake,
} from './fake-provider.ts';
import { jsonReply, type Reply, streamReply } from './fake-reply.ts';
import { readScript } from './fake-script.ts';
import type { Refusal } from './refusal.ts';
import { createSigner, type Signer } from './signatures.ts';

const HEADERS = {
  'request-id': 'req_fake',
  'anthropic-organization-id': 'org-fake',
  'anthropic-ratelimit-requests-limit': '50',
  'anthropic-ratelimit-requests-remaining': '49',
  'anthropic-ratelimit-requests-reset': '2099-01-01T00:00:00Z',
};

interface Server {
  options: FakeOptions;
  apiKey: string;
  signer: Signer;
  threads: MessageThreads | undefined;
  comparisons: Comparisons;
  nextId: (prefix: string) => string;
}

/**
 * A strict Anthropic: `POST /v1/messages`, `POST /v1/messages/count_tokens`, `GET /v1/models[/ID]`. It refuses what the
 * real API refuses, with its status and words, and answers the rest with the fake model's script (`fake-script.ts`).
 */
export async function startFakeAnthropic(options: FakeOptions = {}): Promise<FakeAnthropic> {
  const apiKey = options.apiKey ?? 'sk-ant-fake-key';
  const threads = new MessageThreads();
  const answer = createAnthropic(options, apiKey, threads);
  const fake = await startFake({ basePath: '', answer }, options, apiKey);
  return Object.assign(fake, { forgetThreads: () => threads.forget() });
}

export interface FakeAnthropic extends FakeProvider {
  /** All message threads expire. */
  forgetThreads(): void;
}

/**
 * What this API answers, for fakes that have it at another address.
 *
 * @param threads absent: where there are no message threads, as at clouds
 */
export function createAnthropic(options: FakeOptions, apiKey: string, threads?: MessageThreads): AnswerCall {
  let calls = 0;
  const server: Server = {
    options,
    apiKey,
    signer: createSigner(apiKey),
    threads,
    comparisons: new Comparisons(),
    nextId: (prefix) => {
      calls += 1;
      return `${prefix}01${String(calls).padStart(22, '0')}`;
    },
  };
  return (call: IncomingCall): Reply => {
    checkHeaders(call, apiKey);
    const route = ROUTES.find(({ path }) => path.test(call.path));
    if (!route) throw anthropicError(404, 'not_found_error', 'Not Found');
    if (route.method !== call.method) {
      throw anthropicError(405, 'invalid_request_error', 'Method Not Allowed');
    }
    return route.answer(call, server);
  };
}

interface Route {
  method: string;
  path: RegExp;
  answer: (call: IncomingCall, server: Server) => Reply;
}

const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/v1\/messages$/, answer: answerMessages },
  {
    method: 'POST',
    path: /^\/v1\/messages\/count_tokens$/,
    answer: (call, server) => {
      const request = checkCountTokensRequest(parseBody(call), ruleContext(call, server));
      checkModel(String(request['model']), server);
      const answer = runModel(readMessagesRequest(request), call.behaviour);
      throwFailure(answer.disruption);
      return jsonReply({ input_tokens: totalInput(answer.usage) }, answer.disruption, HEADERS);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/models$/,
    answer: (call, server) => {
      const { disruption } = readScript(call.behaviour);
      throwFailure(disruption);
      const data = modelNames(server).map(describeModel);
      const body = {
        data,
        has_more: false,
        first_id: data[0]?.['id'] ?? null,
        last_id: data.at(-1)?.['id'] ?? null,
      };
      return jsonReply(body, disruption, HEADERS);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/models\/[^/]+$/,
    answer: (call, server) => {
      const name = call.path.slice('/v1/models/'.length);
      checkModel(name, server);
      return jsonReply(describeModel(name), {}, HEADERS);
    },
  },
];

function answerMessages(call: IncomingCall, server: Server): Reply {
  const body = parseBody(call);
  const request = checkMessagesRequest(body, ruleContext(call, server));
  const model = String(request['model']);
  checkModel(model, server);
  const answer = runModel(readMessagesRequest(request), call.behaviour);
  throwFailure(answer.disruption);
  const id = server.nextId('msg_');
  const nextCallId = () => server.nextId('toolu_');
  const content = writeContent(answer, { request, signer: server.signer, nextCallId });
  const envelope = { id, model, content, diagnostics: server.comparisons.diagnose(request, id) };
  // Of an answer that breaks off the real API has all or nothing: nothing here.
  const isWhole = Object.keys(answer.disruption).every((name) => name === 'slowMs');
  if (isWhole && isObject(body)) server.threads?.keep(body, request, id, content);
  const reply =
    request['stream'] === true
      ? streamReply(writeStream(answer, envelope), answer.disruption, {
          ...HEADERS,
          'content-type': 'text/event-stream; charset=utf-8',
        })
      : jsonReply(writeMessage(answer, envelope), answer.disruption, HEADERS);
  return { ...reply, usage: answer.usage };
}

/** n8n#37930 and Marinara-Engine#120 for the words. */
function checkHeaders({ headers }: IncomingCall, apiKey: string): void {
  const given = headers['x-api-key'] ?? headers['authorization']?.replace(/^Bearer /, '');
  if (given === undefined) throw unauthenticated('x-api-key header is required');
  if (given !== apiKey) throw unauthenticated('invalid x-api-key');
  const version = headers['anthropic-version'];
  if (version === undefined) throw invalid('anthropic-version: header is required');
  if (!API_VERSIONS.includes(version)) {
    throw invalid(`anthropic-version: "${version}" is not a valid version`);
  }
}

function unauthenticated(message: string): Refusal {
  return anthropicError(401, 'authentication_error', message);
}

function ruleContext({ headers }: IncomingCall, { signer, threads }: Server): AnthropicRuleContext {
  return {
    signer,
    threads,
    version: headers['anthropic-version'] ?? '',
    betas: headers['anthropic-beta'] ?? '',
  };
}

function parseBody({ headers, rawBody }: IncomingCall): JsonValue {
  if (!headers['content-type']?.startsWith('application/json')) {
    throw invalid('content-type: must be application/json');
  }
  const body = tryParseJson(rawBody.toString('utf8'));
  // claude-code#77525
  if (body === undefined) throw invalid('The request body is not valid JSON: line 1 column 1 (char 0)');
  return body;
}

/** Recorded from the token counting endpoint. */
function checkModel(model: string, server: Server): void {
  if (!modelNames(server).includes(model)) {
    throw anthropicError(404, 'not_found_error', `model: ${model}`);
  }
}

function modelNames({ options }: Server): string[] {
  return [...CLAUDE_MODELS, ...(options.models ?? [])];
}

function describeModel(id: string): JsonObject {
  return { type: 'model', id, display_name: id, created_at: '2025-09-29T00:00:00Z' };
}
