import type { ServerResponse } from 'node:http';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { vectorOf } from './fake-vectors.ts';
import { type RawUpstream, startRawUpstream } from './raw-upstream.ts';

const PLACE = '/projects/my-project/locations/europe-west4/publishers';
const GEMINI = `/v1beta1${PLACE}/google/models/gemini-2.5-flash`;
const CLAUDE = `/v1${PLACE}/anthropic/models/claude-sonnet-4-5@20250929`;

const GEMINI_ANSWER = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'Hello' }] }, finishReason: 'STOP', index: 0 }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 },
  modelVersion: 'gemini-2.5-flash',
};

const CLAUDE_ANSWER = {
  id: 'msg_vrtx_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5-20250929',
  content: [{ type: 'text', text: 'Hello' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 2 },
};

const CLAUDE_EVENTS = [
  { type: 'message_start', message: { ...CLAUDE_ANSWER, content: [], stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
  { type: 'content_block_stop', index: 0 },
  {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 2 },
  },
  { type: 'message_stop' },
];

/**
 * A strict Vertex AI in `europe-west4` with one model of Google and one of Anthropic; `isToken` knows which access tokens
 * are good now.
 */
export function startFakeVertex(isToken: (token: string) => boolean): Promise<RawUpstream> {
  return startRawUpstream((response, text, { url = '', headers }) => {
    const [, token = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
    if (!isToken(token)) {
      const message = 'Request had invalid authentication credentials. Expected OAuth 2 access token.';
      return refuse(response, 401, 'UNAUTHENTICATED', message);
    }
    const body = tryParseJson(text);
    if (!isObject(body)) return refuse(response, 400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.');
    if (url === `${GEMINI}:generateContent`) return sendJson(response, GEMINI_ANSWER);
    if (url === `${GEMINI}:streamGenerateContent?alt=sse`) {
      return sendEvents(response, [`data: ${JSON.stringify(GEMINI_ANSWER)}\r\n\r\n`]);
    }
    const most = MOST_INSTANCES.get(url);
    if (most !== undefined) return predict(response, body, most);
    if (url === `/v1beta1${PLACE}/google/models/gemini-embedding-2:embedContent`) {
      return embedContent(response, body);
    }
    const isStream = url === `${CLAUDE}:streamRawPredict`;
    if (!isStream && url !== `${CLAUDE}:rawPredict`) {
      return refuse(response, 404, 'NOT_FOUND', 'Publisher Model was not found.');
    }
    if (body['model'] !== undefined) return refuseClaude(response, 'model: Extra inputs are not permitted');
    if (body['anthropic_version'] !== 'vertex-2023-10-16') {
      return refuseClaude(response, 'anthropic_version: Field required');
    }
    if (!isStream) return sendJson(response, CLAUDE_ANSWER);
    return sendEvents(
      response,
      CLAUDE_EVENTS.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
    );
  });
}

/** "API limits" of "Get text embeddings": a single text for Gemini's embedding models, 250 for others. */
const MOST_INSTANCES: ReadonlyMap<string, number> = new Map([
  [`/v1beta1${PLACE}/google/models/text-embedding-005:predict`, 250],
  [`/v1beta1${PLACE}/google/models/gemini-embedding-001:predict`, 1],
]);

/** Recorded. Unknown fields are refused as Google's JSON is; of too many instances langchain-ai/langchain#5316 has the words. */
function predict(
  response: ServerResponse,
  { instances, parameters, ...unknown }: JsonObject,
  most: number,
): void {
  const { outputDimensionality = 4 } = isObject(parameters) ? parameters : {};
  if (Object.keys(unknown).length > 0 || !Array.isArray(instances)) {
    refuse(response, 400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unknown name.');
    return;
  }
  if (instances.length > most) {
    const message = `${most} instance(s) is allowed per prediction. Actual: ${instances.length}`;
    refuse(response, 400, 'INVALID_ARGUMENT', message);
    return;
  }
  const predictions = instances.map((instance) => {
    const text = isObject(instance) ? String(instance['content']) : '';
    const statistics = { token_count: text.split(' ').length, truncated: false };
    return { embeddings: { statistics, values: vectorOf(text, Number(outputDimensionality)) } };
  });
  sendJson(response, { predictions, metadata: { billableCharacterCount: 12 } });
}

function embedContent(
  response: ServerResponse,
  { content, embedContentConfig, ...unknown }: JsonObject,
): void {
  const { outputDimensionality = 4 } = isObject(embedContentConfig) ? embedContentConfig : {};
  const parts = isObject(content) && Array.isArray(content['parts']) ? content['parts'] : [];
  const [part] = parts;
  if (Object.keys(unknown).length > 0 || !isObject(part)) {
    refuse(response, 400, 'INVALID_ARGUMENT', 'Invalid JSON payload received. Unknown name.');
    return;
  }
  const values = vectorOf(String(part['text']), Number(outputDimensionality));
  sendJson(response, { embedding: { values }, usageMetadata: { promptTokenCount: 11 } });
}

function sendJson(response: ServerResponse, body: object): void {
  response.setHeader('content-type', 'application/json; charset=UTF-8');
  response.end(JSON.stringify(body));
}

function sendEvents(response: ServerResponse, events: string[]): void {
  response.setHeader('content-type', 'text/event-stream');
  response.end(events.join(''));
}

function refuse(response: ServerResponse, code: number, status: string, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(JSON.stringify({ error: { code, message, status } }));
}

function refuseClaude(response: ServerResponse, message: string): void {
  response.writeHead(400, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message } }));
}
