import { createHash } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { countTokens } from '../fake-model.ts';
import type { IncomingCall } from '../fake-provider.ts';
import { bytesReply, type Frame, jsonReply, type Reply, type Stream, streamReply } from '../fake-reply.ts';
import type { Disruption } from '../fake-script.ts';
import {
  any,
  boolean,
  either,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  type Shape,
  text,
} from '../shape.ts';
import { badParameter, modelNotFound, STREAM_ERROR, throwFailure } from './errors.ts';
import { type FormPart, fieldOf, readForm } from './form.ts';
import { refuseViolations } from './violations.ts';

/** Images, speech, moderations as OpenAI has them, and rerank as Cohere, Jina and vLLM do. */
interface MediaRoute {
  path: RegExp;
  answer: (call: IncomingCall, readBody: () => JsonValue | undefined, disruption: Disruption) => Reply;
}

export const IMAGE_MODELS = ['gpt-image-1', 'dall-e-3', 'dall-e-2'];
export const SPEECH_MODELS = ['tts-1', 'gpt-4o-mini-tts'];

/** API reference, "Create image". */
const IMAGE_REQUEST: Shape = object(
  { prompt: text({ minLength: 1 }) },
  {
    model: oneOf(...IMAGE_MODELS),
    n: integer({ min: 1, max: 10 }),
    size: text(),
    quality: text(),
    background: oneOf('transparent', 'opaque', 'auto'),
    moderation: oneOf('low', 'auto'),
    output_compression: integer({ min: 0, max: 100 }),
    output_format: oneOf('png', 'jpeg', 'webp'),
    partial_images: integer({ min: 0, max: 3 }),
    response_format: oneOf('url', 'b64_json'),
    stream: boolean,
    style: oneOf('vivid', 'natural'),
    user: text(),
  },
);

/** API reference, "Create speech". */
const SPEECH_REQUEST: Shape = object(
  { model: oneOf(...SPEECH_MODELS), input: text({ minLength: 1, maxLength: 4096 }), voice: text() },
  {
    instructions: text(),
    response_format: oneOf('mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'),
    speed: number({ min: 0.25, max: 4 }),
    stream_format: oneOf('sse', 'audio'),
  },
);

const MODERATION_REQUEST: Shape = object(
  { input: either(text(), list(either(text(), map(any)))) },
  { model: oneOf('omni-moderation-latest', 'text-moderation-latest') },
);

/** Cohere v2, which Jina and vLLM have, too. */
const RERANK_REQUEST: Shape = object(
  { model: text(), query: text(), documents: list(either(text(), map(any)), { minItems: 1 }) },
  { top_n: integer({ min: 1 }), max_tokens_per_doc: integer({ min: 1 }), return_documents: boolean },
);

/** API reference, "Create transcription" and "Create translation". */
const TRANSCRIPTION_FIELDS = new Set([
  'model',
  'file',
  'language',
  'prompt',
  'response_format',
  'temperature',
  'stream',
  'timestamp_granularities[]',
  'include[]',
  'chunking_strategy',
]);
const EDIT_FIELDS = new Set([
  'model',
  'image',
  'image[]',
  'mask',
  'prompt',
  'n',
  'size',
  'quality',
  'background',
  'response_format',
  'output_format',
  'stream',
  'partial_images',
  'user',
]);
const TRANSCRIPTION_MODELS = ['whisper-1', 'gpt-4o-transcribe'];

export const MEDIA_ROUTES: readonly MediaRoute[] = [
  { path: /^\/v1\/audio\/transcriptions$/, answer: answerTranscription },
  { path: /^\/v1\/audio\/translations$/, answer: answerTranscription },
  { path: /^\/v1\/images\/edits$/, answer: answerEdit },
  { path: /^\/v1\/images\/variations$/, answer: answerEdit },
  { path: /^\/v1\/images\/generations$/, answer: answerImages },
  { path: /^\/v1\/audio\/speech$/, answer: answerSpeech },
  { path: /^\/v1\/moderations$/, answer: answerModeration },
  { path: /^\/v1\/rerank$/, answer: answerRerank },
];

/** What the fake draws of a prompt. */
export function drawImage(prompt: string): string {
  return Buffer.from(`image of ${prompt}`).toString('base64');
}

/** What the fake says of a text: bytes that are no UTF-8, as many that they come in several packets. */
export function speak(input: string): Buffer {
  return Buffer.alloc(300_000, Buffer.from([0xff, 0xfb, 0x90, ...Buffer.from(input)]));
}

function answerImages(
  _call: IncomingCall,
  readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const body = checkBody(readBody(), IMAGE_REQUEST);
  const prompt = String(body['prompt']);
  throwFailure(disruption);
  const usage = imageUsage(countTokens(prompt), 0);
  if (body['stream'] === true) return streamReply(imageStream('image_generation', prompt, usage), disruption);
  const image =
    body['model'] === 'gpt-image-1' || body['response_format'] === 'b64_json'
      ? { b64_json: drawImage(prompt) }
      : { url: 'https://images.invalid/1.png' };
  const isGptImage = body['model'] === 'gpt-image-1';
  return jsonReply({ created: 1_715_367_049, data: [image], ...(isGptImage ? { usage } : {}) }, disruption);
}

export function imageUsage(textTokens: number, imageTokens: number): JsonObject {
  return {
    input_tokens: textTokens + imageTokens,
    input_tokens_details: { text_tokens: textTokens, image_tokens: imageTokens },
    output_tokens: 272,
    total_tokens: textTokens + imageTokens + 272,
  };
}

export function imageStream(
  kind: 'image_generation' | 'image_edit',
  prompt: string,
  usage: JsonObject,
): Stream {
  const image = {
    b64_json: drawImage(prompt),
    created_at: 1_715_367_049,
    size: '1024x1024',
    quality: 'high',
  };
  return {
    frames: [
      sse({ type: `${kind}.partial_image`, partial_image_index: 0, ...image }, 'output'),
      sse({ type: `${kind}.completed`, ...image, usage }, 'end'),
    ],
    error: sse({ type: 'error', ...STREAM_ERROR }, 'output').text,
  };
}

function answerSpeech(
  _call: IncomingCall,
  readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const body = checkBody(readBody(), SPEECH_REQUEST);
  const input = String(body['input']);
  const isSse = body['stream_format'] === 'sse';
  if (isSse && body['model'] === 'tts-1') {
    throw badParameter("'stream_format' is not supported by this model.", 'stream_format');
  }
  throwFailure(disruption);
  const audio = speak(input);
  if (!isSse) return bytesReply(audio, 'audio/mpeg', disruption);
  const half = Math.ceil(audio.length / 2);
  const deltas = [audio.subarray(0, half), audio.subarray(half)];
  const tokens = countTokens(input);
  const usage = { input_tokens: tokens, output_tokens: 50, total_tokens: tokens + 50 };
  return streamReply(
    {
      frames: [
        ...deltas.map((part) =>
          sse({ type: 'speech.audio.delta', audio: part.toString('base64') }, 'output'),
        ),
        sse({ type: 'speech.audio.done', usage }, 'end'),
      ],
      error: sse({ type: 'error', ...STREAM_ERROR }, 'output').text,
    },
    disruption,
  );
}

function answerModeration(
  _call: IncomingCall,
  readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const body = checkBody(readBody(), MODERATION_REQUEST);
  throwFailure(disruption);
  const inputs = Array.isArray(body['input']) ? body['input'] : [body['input'] ?? ''];
  const results = inputs.map((input) => ({
    flagged: String(input).includes('violence'),
    categories: { violence: String(input).includes('violence') },
    category_scores: { violence: 0.5 },
  }));
  return jsonReply({ id: 'modr-1', model: String(body['model']), results }, disruption);
}

function answerRerank(
  _call: IncomingCall,
  readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const body = checkBody(readBody(), RERANK_REQUEST);
  throwFailure(disruption);
  const documents = Array.isArray(body['documents']) ? body['documents'] : [];
  const results = documents
    .map((document, index) => ({ index, relevance_score: 1 / (1 + JSON.stringify(document).length) }))
    .sort((a, b) => b.relevance_score - a.relevance_score)
    .slice(0, Number(body['top_n'] ?? documents.length));
  return jsonReply({ model: String(body['model']), results, usage: { total_tokens: 15 } }, disruption);
}

function checkBody(body: JsonValue | undefined, shape: Shape): JsonObject {
  if (!isObject(body)) throw badParameter('you must provide a JSON body', null);
  refuseViolations(body, shape);
  if (body['model'] === 'no-such-model') throw modelNotFound('no-such-model');
  return body;
}

export function sse(data: JsonObject, part: Frame['part']): Frame {
  return { part, text: `event: ${String(data['type'])}\ndata: ${JSON.stringify(data)}\n\n` };
}

/** What the fake hears in a file. */
export function hear(file: Buffer): string {
  return `${file.length} bytes, ${createHash('sha256').update(file).digest('hex')}`;
}

function answerTranscription(
  call: IncomingCall,
  _readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const form = checkForm(call, TRANSCRIPTION_FIELDS, TRANSCRIPTION_MODELS);
  const file = form.find(({ name }) => name === 'file');
  if (file?.filename === undefined) throw badParameter("Missing required parameter: 'file'.", 'file');
  throwFailure(disruption);
  const heard = hear(file.content);
  const format = fieldOf(form, 'response_format') ?? 'json';
  if (fieldOf(form, 'model') === 'whisper-1') {
    // Whisper does not stream: it ignores the wish.
    if (format === 'text' || format === 'srt' || format === 'vtt') {
      return bytesReply(Buffer.from(`${heard}\n`), 'text/plain; charset=utf-8', disruption);
    }
    return jsonReply({ text: heard, usage: { type: 'duration', seconds: 7 } }, disruption);
  }
  const usage = {
    type: 'tokens',
    input_tokens: 14,
    input_token_details: { text_tokens: 4, audio_tokens: 10 },
    output_tokens: 45,
    total_tokens: 59,
  };
  if (fieldOf(form, 'stream') !== 'true') return jsonReply({ text: heard, usage }, disruption);
  return streamReply(
    {
      frames: [
        sse({ type: 'transcript.text.delta', delta: heard }, 'output'),
        sse({ type: 'transcript.text.done', text: heard, usage }, 'end'),
      ],
      error: sse({ type: 'error', ...STREAM_ERROR }, 'output').text,
    },
    disruption,
  );
}

function answerEdit(
  call: IncomingCall,
  _readBody: () => JsonValue | undefined,
  disruption: Disruption,
): Reply {
  const form = checkForm(call, EDIT_FIELDS, IMAGE_MODELS);
  const images = form.filter(({ name, filename }) => name.startsWith('image') && filename !== undefined);
  if (images.length === 0) throw badParameter("Missing required parameter: 'image'.", 'image');
  throwFailure(disruption);
  const prompt = `${fieldOf(form, 'prompt') ?? ''} of ${images.map(({ content }) => hear(content)).join(', ')}`;
  const usage = imageUsage(countTokens(prompt), 200);
  if (fieldOf(form, 'stream') === 'true')
    return streamReply(imageStream('image_edit', prompt, usage), disruption);
  return jsonReply({ created: 1_715_367_049, data: [{ b64_json: drawImage(prompt) }], usage }, disruption);
}

function checkForm(call: IncomingCall, known: ReadonlySet<string>, models: readonly string[]): FormPart[] {
  const form = readForm(call);
  for (const { name } of form) {
    if (!known.has(name)) throw badParameter(`Unknown parameter: '${name}'.`, name, 'unknown_parameter');
  }
  const model = fieldOf(form, 'model');
  if (model === undefined) throw badParameter('you must provide a model parameter', null);
  if (!models.includes(model)) throw modelNotFound(model);
  return form;
}
