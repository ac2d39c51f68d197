import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { createOpenAi, type FakeOpenAiOptions } from './fake-openai.ts';
import { type FakeProvider, type IncomingCall, startFake } from './fake-provider.ts';
import type { Frame, Reply, Stream } from './fake-reply.ts';
import { openAiError } from './openai/errors.ts';
import { objectsOf } from './values.ts';

const SAFE = { hate: { filtered: false, severity: 'safe' }, violence: { filtered: false, severity: 'safe' } };
const NOTHING_YET = { id: '', object: '', created: 0, model: '' };

/** No moderations, no variations of images, no rerank. */
const HAD =
  /^\/v1\/(?:(?:chat\/)?completions|responses|embeddings|images\/(?:generations|edits)|audio\/(?:speech|transcriptions|translations)|files(?:\/.+)?|batches(?:\/.+)?)$/;

/**
 * Azure's v1 surface with OpenAI's models behind it, by the fake model's script: the key in `api-key`, and the content
 * filter in every answer, on chunks without choices and on choices without a delta, too. (`fake-azure.ts` is strict about
 * Azure's addresses.) Sources: as there.
 */
export function startFakeAzureModels(options: FakeOpenAiOptions = {}): Promise<FakeProvider> {
  const apiKey = options.apiKey ?? 'fake-azure-key';
  const answerOpenAi = createOpenAi(options, apiKey);
  const answer = (call: IncomingCall): Reply => {
    const [, path] = /^\/openai(\/v1\/.+)$/.exec(call.path) ?? [];
    if (path === undefined || !HAD.test(path)) throw openAiError(404, 'Resource not found', { code: '404' });
    const key = call.headers['api-key'];
    const headers = { ...call.headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
    const reply = answerOpenAi({ ...call, path, headers });
    return path.endsWith('/chat/completions') ? { ...reply, body: addFilters(reply.body) } : reply;
  };
  return startFake({ basePath: '', answer }, options, apiKey);
}

function addFilters(body: Reply['body']): Reply['body'] {
  if (Buffer.isBuffer(body)) return body;
  if (typeof body !== 'string') return addFilterChunks(body);
  const whole = tryParseJson(body);
  if (!isObject(whole)) return body;
  const choices = objectsOf(whole['choices']).map((choice) => ({ ...choice, content_filter_results: SAFE }));
  return JSON.stringify({ ...whole, choices, prompt_filter_results: promptFilter() });
}

function addFilterChunks(stream: Stream): Stream {
  const firstEnd = stream.frames.findIndex(({ part }) => part === 'end');
  const prompt = writeChunk('start', { choices: [], prompt_filter_results: promptFilter() });
  const offsets = { check_offset: 0, start_offset: 0, end_offset: 5 };
  const choice = { index: 0, finish_reason: null, content_filter_offsets: offsets };
  const completion = writeChunk('end', { choices: [{ ...choice, content_filter_results: SAFE }] });
  const frames = [prompt, ...stream.frames.slice(0, firstEnd), completion, ...stream.frames.slice(firstEnd)];
  return { ...stream, frames };
}

function promptFilter(): JsonObject[] {
  return [{ prompt_index: 0, content_filter_results: SAFE }];
}

function writeChunk(part: Frame['part'], fields: JsonObject): Frame {
  return { part, text: `data: ${JSON.stringify({ ...NOTHING_YET, ...fields })}\n\n` };
}
