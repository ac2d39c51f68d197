import type { ServerResponse } from 'node:http';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { type RawUpstream, startRawUpstream } from './raw-upstream.ts';

export const AZURE_KEY = 'azure-key-0123456789abcdef';
export const API_VERSION = '2024-10-21';

const SAFE = { hate: { filtered: false, severity: 'safe' }, violence: { filtered: false, severity: 'safe' } };
const PROMPT_FILTER = [{ prompt_index: 0, content_filter_results: SAFE }];
const USAGE = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

/** What a stream begins with before the model has said anything, as recorded by others (autogen #6465). */
const PROMPT_CHUNK = {
  id: '',
  object: '',
  created: 0,
  model: '',
  choices: [],
  prompt_filter_results: PROMPT_FILTER,
};

/**
 * A strict Azure OpenAI with the deployment `my-gpt-41` of `gpt-4.1`: the classic surface (deployment in the URL, dated
 * api-version, `model` in the body ignored) and `/openai/v1` (deployment in the body). The key, or a token that `isToken`
 * knows, is asked for.
 */
export function startFakeAzure(isToken: (token: string) => boolean = () => false): Promise<RawUpstream> {
  return startRawUpstream((response, text, { url = '', headers }) => {
    const [, bearer = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
    if (headers['api-key'] !== AZURE_KEY && !isToken(bearer)) {
      return refuse(
        response,
        401,
        '401',
        'Access denied due to invalid subscription key or wrong API endpoint.',
      );
    }
    const body = tryParseJson(text);
    const { pathname, searchParams } = new URL(url, 'http://azure');
    const classic = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(pathname);
    const isNew = pathname === '/openai/v1/chat/completions';
    const version = searchParams.get('api-version');
    if (pathname === '/openai/responses' && version !== null && version < '2025-03-01') {
      // Aider-AI/aider#4029
      const message =
        'Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later';
      return refuse(response, 400, 'BadRequest', message);
    }
    if (
      !isObject(body) ||
      (!isNew && !classic) ||
      (classic && version !== API_VERSION) ||
      (isNew && version !== null)
    ) {
      return refuse(response, 404, '404', 'Resource not found');
    }
    const deployment = isNew ? body['model'] : classic?.[1];
    if (deployment !== 'my-gpt-41') {
      const message = 'The API deployment for this resource does not exist.';
      return refuse(response, 404, 'DeploymentNotFound', message);
    }
    if (text.includes('forbidden words')) return refuseContent(response);
    return body['stream'] === true ? stream(response, body) : answer(response);
  });
}

function answer(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json');
  const message = { role: 'assistant', content: 'Hello' };
  const choice = { index: 0, message, finish_reason: 'stop', content_filter_results: SAFE };
  const envelope = { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'gpt-4.1-2025-04-14' };
  response.end(
    JSON.stringify({ ...envelope, choices: [choice], prompt_filter_results: PROMPT_FILTER, usage: USAGE }),
  );
}

/** With the asynchronous filter: offsets come later, in choices that have no delta. */
function stream(response: ServerResponse, { stream_options: options }: JsonObject): void {
  response.setHeader('content-type', 'text/event-stream');
  for (const chunk of azureChunks(isObject(options) && options['include_usage'] === true)) {
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  response.end('data: [DONE]\n\n');
}

export function azureChunks(includeUsage: boolean): object[] {
  const envelope = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'gpt-4.1-2025-04-14',
  };
  const chunk = (choice: object) => ({ ...envelope, choices: [{ index: 0, ...choice }] });
  return [
    PROMPT_CHUNK,
    chunk({ delta: { role: 'assistant', content: '' }, finish_reason: null }),
    chunk({ delta: { content: 'Hel' }, finish_reason: null }),
    chunk({ delta: { content: 'lo' }, finish_reason: null }),
    {
      ...chunk({
        finish_reason: null,
        content_filter_offsets: { check_offset: 0, start_offset: 0, end_offset: 5 },
        content_filter_results: SAFE,
      }),
      id: '',
      object: '',
      created: 0,
      model: '',
    },
    chunk({ delta: {}, finish_reason: 'stop' }),
    ...(includeUsage ? [{ ...envelope, choices: [], usage: USAGE }] : []),
  ];
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message } }));
}

/** Source: Azure OpenAI, "Content filtering": what a filtered prompt is answered with. */
function refuseContent(response: ServerResponse): void {
  response.writeHead(400, { 'content-type': 'application/json' });
  const message =
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.";
  const innererror = { code: 'ResponsibleAIPolicyViolation', content_filter_result: SAFE };
  response.end(
    JSON.stringify({
      error: { message, type: null, param: 'prompt', code: 'content_filter', status: 400, innererror },
    }),
  );
}
