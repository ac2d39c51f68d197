import { type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { runModel } from './fake-model.ts';
import type { IncomingCall } from './fake-provider.ts';
import { jsonReply, type Reply, streamReply } from './fake-reply.ts';
import { badParameter, modelNotFound, openAiError, throwFailure } from './openai/errors.ts';
import { readItems, readRequest } from './openai-responses/reading.ts';
import { checkItems, checkRequest } from './openai-responses/rules.ts';
import { type Envelope, writeResponse, writeStream } from './openai-responses/writing.ts';

interface Stored {
  /** All that the model was given, each with an id. */
  input: JsonObject[];
  response: JsonObject;
}

export interface FakeResponsesOptions {
  /** The organisation: it alone can read its reasoning. */
  owner: string;
  models: readonly string[];
  nextId: (prefix: string) => string;
}

/**
 * The Responses API of a strict OpenAI, with its store: what was created (unless `store` is false) can be gone on from,
 * asked for, listed and deleted. It refuses what the real API refuses, with its status and words.
 */
export class FakeResponses {
  readonly #options: FakeResponsesOptions;
  readonly #stored = new Map<string, Stored>();

  constructor(options: FakeResponsesOptions) {
    this.#options = options;
  }

  /** `undefined` for a path that is none of this API. */
  answer(call: IncomingCall): Reply | undefined {
    const [, id, rest = ''] = /^\/v1\/responses(?:\/([^/]+)(?:\/(.+))?)?$/.exec(call.path) ?? [];
    if (id === undefined) return call.path === '/v1/responses' ? this.#create(call) : undefined;
    switch (`${call.method} ${rest}`) {
      case 'GET ':
        return jsonReply(this.#find(id).response);
      case 'DELETE ':
        this.#find(id);
        this.#stored.delete(id);
        return jsonReply({ id, object: 'response', deleted: true });
      case 'GET input_items':
        return jsonReply(listItems(this.#find(id).input, call.query));
      case 'POST cancel':
        return jsonReply(this.#cancel(id));
      default:
        return undefined;
    }
  }

  #create(call: IncomingCall): Reply {
    const { models, nextId, owner } = this.#options;
    const request = checkRequest(parseBody(call));
    if (!models.includes(String(request['model']))) throw responsesModelNotFound(String(request['model']));
    const earlier = this.#earlierItems(request['previous_response_id']);
    const items = readItems(request['input']).map((item) => this.#resolve(item));
    checkItems(items, earlier, owner);
    const input = [...earlier, ...items.map((item) => ({ type: 'message', id: nextId('msg_'), ...item }))];
    const answer = runModel(readRequest(request, input), call.behaviour);
    throwFailure(answer.disruption);
    const envelope: Envelope = { id: nextId('resp_'), request, owner, nextId };
    const response = writeResponse(answer, envelope);
    const keep = (kept: JsonObject): void => {
      if (request['store'] !== false) this.#stored.set(envelope.id, { input, response: kept });
    };
    if (request['background'] === true && request['stream'] !== true) {
      keep(response);
      return jsonReply({ ...response, status: 'queued', output: [], usage: null }, answer.disruption);
    }
    keep(response);
    const reply =
      request['stream'] === true
        ? streamReply(writeStream(answer, replayIds(envelope, response)), answer.disruption)
        : jsonReply(response, answer.disruption);
    return { ...reply, usage: answer.usage };
  }

  #earlierItems(previous: JsonValue | undefined): JsonObject[] {
    if (typeof previous !== 'string') return [];
    const stored = this.#stored.get(previous);
    if (!stored) {
      throw badParameter(
        `Previous response with id '${previous}' not found.`,
        'previous_response_id',
        'previous_response_not_found',
      );
    }
    return [...stored.input, ...outputOf(stored.response)];
  }

  /** An item that is named by its id alone. */
  #resolve(item: JsonObject): JsonObject {
    if (item['type'] !== 'item_reference') return item;
    for (const { input, response } of this.#stored.values()) {
      const found = [...input, ...outputOf(response)].find(({ id }) => id === item['id']);
      if (found) return found;
    }
    throw openAiError(404, `Item with id '${item['id']}' not found.`, { param: 'input' });
  }

  #find(id: string): Stored {
    const stored = this.#stored.get(id);
    if (!stored) throw openAiError(404, `Response with id '${id}' not found.`);
    return stored;
  }

  #cancel(id: string): JsonObject {
    const { response } = this.#find(id);
    if (response['background'] !== true) throw badParameter('Cannot cancel a synchronous response.', null);
    return { ...response, status: 'cancelled' };
  }
}

/** A response is written twice, as a whole and as a stream, and its items have the same ids in both. */
function replayIds(envelope: Envelope, response: JsonObject): Envelope {
  const ids = outputOf(response).flatMap(({ id, call_id: call }) =>
    [id, call].filter((each) => each !== undefined),
  );
  return { ...envelope, nextId: () => String(ids.shift()) };
}

function outputOf({ output }: JsonObject): JsonObject[] {
  return output as JsonObject[];
}

/** Newest first unless asked otherwise. */
function listItems(input: readonly JsonObject[], query: URLSearchParams): JsonObject {
  const ordered = query.get('order') === 'asc' ? [...input] : input.toReversed();
  const after = query.get('after');
  const start = after === null ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  const limit = Number(query.get('limit') ?? 20);
  const data = ordered.slice(start, start + limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: start + limit < ordered.length,
  };
}

function parseBody({ headers, rawBody }: IncomingCall): JsonValue | undefined {
  if (!headers['content-type']?.startsWith('application/json')) return undefined;
  const body = tryParseJson(rawBody.toString('utf8'));
  if (body !== undefined) return body;
  throw badParameter('We could not parse the JSON body of your request.', null);
}

/** Recorded: this API's own words, and a 400. */
function responsesModelNotFound(model: string) {
  return model === ''
    ? modelNotFound(model)
    : badParameter(`The requested model '${model}' does not exist.`, 'model', 'model_not_found');
}
