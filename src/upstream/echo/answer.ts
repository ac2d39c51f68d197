import type { Completion } from '../../conversation/completion.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';
import { chatEmbeddings } from '../../dialects/chat/embeddings.ts';
import { chat } from '../../dialects/chat/index.ts';
import type { StreamEncoderOptions } from '../../dialects/dialect.ts';
import { refuseUnknownParts } from '../../dialects/unknown-parts.ts';
import { embedInputs } from './embeddings.ts';
import { answerConversation } from './model.ts';
import { streamEvents } from './stream-events.ts';

/** An HTTP answer; its chunks are made as they are asked for. */
export interface EchoAnswer {
  status: number;
  headers: Record<string, string>;
  chunks: Iterable<string>;
}

/** The ends of the paths that are served, as in OpenAI's API. */
const ROUTES: Record<string, (body: JsonObject, created: number) => EchoAnswer> = {
  '/chat/completions': answerChat,
  '/embeddings': answerEmbeddings,
};

/** Answers a request of the chat dialect as a server would, errors included. `created` (Unix seconds) dates it. */
export function answerRequest(
  method: string,
  path: string,
  body: string | undefined,
  created: number,
): EchoAnswer {
  try {
    const [pathname = ''] = path.split('?', 1);
    const route = Object.entries(ROUTES).find(([end]) => pathname.endsWith(end));
    if (method !== 'POST' || !route) {
      throw new GatewayError('not_found', `The echo provider does not serve ${method} ${pathname}.`);
    }
    if (body === undefined) throw invalidRequest('The request body is not valid UTF-8.');
    const parsed = tryParseJson(body);
    if (!isObject(parsed)) throw invalidRequest('The request body is not a JSON object.');
    return route[1](parsed, created);
  } catch (error) {
    if (error instanceof GatewayError) return answerJson(error.status, chat.encodeError(error));
    throw error;
  }
}

function answerChat(body: JsonObject, created: number): EchoAnswer {
  const conversation = chat.decodeRequest(body, {});
  refuseUnknownParts(conversation);
  const completion = { ...answerConversation(conversation), created };
  if (!conversation.stream) return answerJson(200, chat.encodeResponse(completion, body));
  const { stream_options: options } = body;
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    chunks: encodeStream(completion, {
      includeUsage: isObject(options) && options['include_usage'] === true,
      request: body,
    }),
  };
}

function answerEmbeddings(body: JsonObject): EchoAnswer {
  const { request, encodingFormat } = chatEmbeddings.decodeRequest(body);
  return answerJson(200, chatEmbeddings.encodeResponse(embedInputs(request), encodingFormat));
}

function* encodeStream(completion: Completion, options: StreamEncoderOptions): Generator<string> {
  const encoder = chat.streamEncoder(options);
  for (const event of streamEvents(completion)) {
    const chunk = encoder.push(event);
    if (chunk !== '') yield chunk;
  }
}

function answerJson(status: number, body: JsonObject): EchoAnswer {
  const text = JSON.stringify(body);
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
  };
  return { status, headers, chunks: [text] };
}
