import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { isBase64, readDataUrl } from '../media.ts';
import { badParameter } from './errors.ts';
import { familyOf } from './models.ts';

/** Rules about messages that go beyond the shape of one field. Run after the shape was found good. */
export function checkMessages(model: string, messages: readonly JsonObject[]): void {
  for (const [index, message] of messages.entries()) {
    checkRole(model, message, index);
    checkContent(model, message, index);
  }
  checkToolOrder(messages);
}

function checkRole(model: string, { role }: JsonObject, index: number): void {
  if (!familyOf(model).noSystem || (role !== 'system' && role !== 'developer')) return;
  throw badParameter(
    `Unsupported value: 'messages[${index}].role' does not support '${role}' with this model.`,
    `messages[${index}].role`,
    'unsupported_value',
  );
}

function checkContent(model: string, message: JsonObject, index: number): void {
  const { role, content } = message;
  const mayBeEmpty = role === 'assistant' && saysOtherThings(message);
  if ((content === null || content === undefined) && !mayBeEmpty) {
    // langchainjs#4153; null is for assistant messages that call (vercel/ai#13744) or refuse.
    throw badParameter(
      "Invalid value for 'content': expected a string, got null.",
      `messages.[${index}].content`,
    );
  }
  if (!Array.isArray(content)) return;
  for (const [at, part] of content.entries()) {
    if (!isObject(part)) continue;
    checkPlace(String(role), part, index, at);
    checkMedia(model, part, index, at);
  }
}

function saysOtherThings(message: JsonObject): boolean {
  return ['tool_calls', 'function_call', 'refusal', 'audio'].some(
    (field) => message[field] !== undefined && message[field] !== null,
  );
}

const PARTS_BY_ROLE: Readonly<Record<string, readonly string[]>> = {
  user: ['text', 'image_url', 'input_audio', 'file'],
  assistant: ['text', 'refusal'],
};
const TEXT_ONLY: readonly string[] = ['text'];

function checkPlace(role: string, part: JsonObject, index: number, at: number): void {
  const allowed = PARTS_BY_ROLE[role] ?? TEXT_ONLY;
  if (allowed.includes(String(part['type']))) return;
  if (part['type'] === 'image_url') {
    // dreadnode/rigging#41, openai-node#1030
    throw badParameter(
      `Invalid 'messages[${index}]'. Image URLs are only allowed for messages with role 'user', but this message with role '${role}' contains an image URL.`,
      `messages[${index}]`,
      'invalid_value',
    );
  }
  throw badParameter(
    `Invalid value: '${part['type']}'. Supported values are: ${allowed.map((type) => `'${type}'`).join(' and ')}.`,
    `messages[${index}].content[${at}].type`,
    'invalid_value',
  );
}

const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

function checkMedia(model: string, part: JsonObject, index: number, at: number): void {
  const place = `messages[${index}].content[${at}]`;
  if (isObject(part['image_url'])) checkImage(String(part['image_url']['url']), place);
  if (isObject(part['input_audio'])) checkAudio(model, part['input_audio'], index, place);
  if (isObject(part['file'])) checkFile(part['file'], place);
}

function checkImage(url: string, place: string): void {
  const data = readDataUrl(url);
  if (!data) {
    if (/^https?:\/\//.test(url)) return;
    const param = `${place}.image_url.url`;
    throw badParameter(
      `Invalid '${param}'. Expected a valid URL, but got a value with an invalid format.`,
      param,
      'invalid_value',
    );
  }
  if (!data.mediaType.startsWith('image/')) {
    // langgenius/dify#11527
    throw badParameter('Invalid MIME type. Only image types are supported.', null, 'invalid_image_format');
  }
  if (!IMAGE_TYPES.includes(data.mediaType)) {
    throw badParameter(
      "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
      null,
      'invalid_image_format',
    );
  }
  if (!isBase64(data.base64)) throw badParameter('Invalid base64 image_url.', null, 'invalid_base64');
}

/** Recorded: models that do not hear refuse the whole message. */
function checkAudio(model: string, audio: JsonObject, index: number, place: string): void {
  if (!familyOf(model).audio) {
    throw badParameter(
      `Invalid 'messages[${index}]'. Content blocks are expected to be either text or image_url type.`,
      `messages[${index}]`,
      'invalid_value',
    );
  }
  if (isBase64(String(audio['data']))) return;
  const param = `${place}.input_audio.data`;
  throw badParameter(`Invalid '${param}'. Expected a base64-encoded string.`, param, 'invalid_value');
}

/** The words are those recorded from the Responses API; Chat Completions documents the same rule. */
function checkFile(file: JsonObject, place: string): void {
  if (typeof file['file_id'] === 'string') return;
  const param = `${place}.file.file_data`;
  if (typeof file['file_data'] !== 'string') {
    throw badParameter(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
  }
  const data = readDataUrl(file['file_data']);
  if (data && isBase64(data.base64)) return;
  throw badParameter(
    `Invalid file data: '${param}'. Expected a base64-encoded data URL with a valid file MIME type (e.g. 'data:text/plain;base64,SGVsbG8sIFdvcmxkIQ==').`,
    param,
    'invalid_value',
  );
}

/** Every call is answered, at once and in one block of tool messages, and nothing else is. */
function checkToolOrder(messages: readonly JsonObject[]): void {
  let open = new Set<string>();
  let known = new Set<string>();
  for (const [index, message] of messages.entries()) {
    if (message['role'] === 'tool') {
      answerCall(String(message['tool_call_id']), known, open, index);
      continue;
    }
    refuseOpenCalls(open, index);
    known = new Set(callIds(message));
    open = new Set(known);
  }
  refuseOpenCalls(open, messages.length);
}

function answerCall(id: string, known: Set<string>, open: Set<string>, index: number): void {
  if (known.size === 0) {
    // smarter-sh/smarter#264; the misspelling is OpenAI's
    throw badParameter(
      "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
      `messages.[${index}].role`,
    );
  }
  if (!known.has(id)) {
    throw badParameter(
      `Invalid parameter: 'tool_call_id' of '${id}' not found in 'tool_calls' of previous message.`,
      `messages.[${index}].tool_call_id`,
    );
  }
  open.delete(id);
}

function refuseOpenCalls(open: Set<string>, index: number): void {
  if (open.size === 0) return;
  // genkit-plugins#225, freecc#2
  throw badParameter(
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(', ')}`,
    `messages.[${index}].role`,
  );
}

function callIds({ tool_calls: calls }: JsonObject): string[] {
  return Array.isArray(calls) ? calls.filter(isObject).map((call) => String(call['id'])) : [];
}
