import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { isProtoBase64 } from '../media.ts';
import { objectsOf } from '../values.ts';
import { invalidArgument, invalidField } from './errors.ts';

/** Rules about contents that go beyond the shape of one field. Run after the shape was found good. */
export function checkContents(request: JsonObject, takesEmptyText: boolean): void {
  const { systemInstruction } = request;
  if (isObject(systemInstruction)) {
    // one-api#2243
    for (const [at, part] of objectsOf(systemInstruction['parts']).entries()) {
      checkPart(part, `system_instruction.parts[${at}]`);
    }
  }
  const contents = objectsOf(request['contents']);
  if (contents.length === 0) throw invalidField('contents', 'contents is not specified');
  for (const [index, content] of contents.entries()) {
    checkRole(content);
    const parts = objectsOf(content['parts']);
    // vercel/ai#3775
    if (parts.length === 0)
      throw invalidField(`contents[${index}].parts`, 'contents.parts must not be empty.');
    for (const [at, part] of parts.entries()) checkPart(part, `contents[${index}].parts[${at}]`);
  }
  if (!takesEmptyText) refuseEmptyText(contents);
  checkTurnOrder(contents);
}

/** zuisong/gemini-openai-proxy#83, chatboxai/chatbox#1846. A signature may stand on an empty text (thought signature guide). */
function refuseEmptyText(contents: readonly JsonObject[]): void {
  const parts = contents.flatMap((content) => objectsOf(content['parts']));
  if (parts.every(({ text, thoughtSignature }) => text !== '' || thoughtSignature !== undefined)) return;
  throw invalidArgument(
    'Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again.',
  );
}

function checkRole({ role }: JsonObject): void {
  if (role === undefined || role === 'user' || role === 'model' || role === 'function') return;
  throw invalidArgument('Please use a valid role: user, model.');
}

const DATA_FIELDS = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'codeExecutionResult',
  'executableCode',
  'toolCall',
  'toolResponse',
];

function checkPart(part: JsonObject, place: string): void {
  const given = DATA_FIELDS.filter((field) => part[field] !== undefined);
  if (given.length > 1) {
    throw invalidArgument(
      `Invalid value at '${place}' (oneof), oneof field 'data' is already set. Cannot set '${given[1]}'`,
    );
  }
  // boldsoftware/sketch#68. An empty text is data, too (recorded).
  if (given.length === 0) {
    throw invalidField(`${place}.data`, "required oneof field 'data' must have one initialized field");
  }
  if (isObject(part['inlineData'])) checkBlob(part['inlineData'], `${place}.inline_data`);
  if (isObject(part['fileData']) && typeof part['fileData']['fileUri'] !== 'string') {
    throw invalidField(`${place}.file_data.file_uri`, 'missing field.');
  }
  checkNames(part, place);
}

/** langflow#9437 */
function checkNames({ functionCall, functionResponse }: JsonObject, place: string): void {
  if (isObject(functionCall) && !functionCall['name']) {
    throw invalidField(`${place}.function_call.name`, 'Name cannot be empty.');
  }
  if (!isObject(functionResponse)) return;
  if (!functionResponse['name']) {
    throw invalidField(`${place}.function_response.name`, 'Name cannot be empty.');
  }
  if (functionResponse['response'] === undefined) {
    throw invalidField(`${place}.function_response.response`, 'missing field.');
  }
}

/** What the guides for images, documents, audio and video list; anything else is unsupported (charmbracelet/crush#995). */
const MIME_TYPES =
  /^(image\/(png|jpeg|webp|heic|heif)|audio\/(wav|mp3|mpeg|aiff|aac|ogg|flac|m4a|l16|pcm)|video\/[a-z0-9.-]+|application\/(pdf|json)|text\/[a-z0-9.-]+)(;.*)?$/i;

function checkBlob({ mimeType, data }: JsonObject, place: string): void {
  if (typeof mimeType !== 'string' || mimeType === '') {
    throw invalidField(`${place}.mime_type`, 'missing field.');
  }
  // musistudio/claude-code-router#845
  if (typeof data !== 'string' || !isProtoBase64(data)) {
    const description = `Invalid value at '${place}.data' (TYPE_BYTES), Base64 decoding failed for "${String(data).slice(0, 40)}"`;
    throw invalidArgument(description, [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ field: `${place}.data`, description }],
      },
    ]);
  }
  if (!MIME_TYPES.test(mimeType)) throw invalidArgument(`Unsupported MIME type: ${mimeType}`);
}

/**
 * Calls come after a user's turn, responses right after the calls, as many as there were calls and under their names.
 *
 * Contents of one role in a row are taken otherwise (recorded: function responses followed by a user's text): the old
 * rule that roles alternate is gone from the API.
 */
function checkTurnOrder(contents: readonly JsonObject[]): void {
  const turns = mergeByRole(contents);
  const first = turns[0];
  if (first?.role === 'model' && first.calls.length > 0) throw callOutOfPlace();
  for (const [at, turn] of turns.entries()) {
    const before = turns[at - 1];
    if (turn.responses.length > 0 && (before?.role !== 'model' || before.calls.length === 0)) {
      // GoogleCloudPlatform/generative-ai#368
      throw invalidArgument(
        'Please ensure that function response turn comes immediately after a function call turn.',
      );
    }
    if (before && before.calls.length > 0) checkResponses(before, turn);
  }
}

interface MergedTurn {
  role: string;
  calls: { name: string; id: string | undefined }[];
  responses: { name: string; id: string | undefined }[];
}

function mergeByRole(contents: readonly JsonObject[]): MergedTurn[] {
  const turns: MergedTurn[] = [];
  for (const content of contents) {
    const role = content['role'] === 'model' ? 'model' : 'user';
    const parts = objectsOf(content['parts']);
    const calls = parts
      .map((part) => part['functionCall'])
      .filter(isObject)
      .map(nameAndId);
    const responses = parts
      .map((part) => part['functionResponse'])
      .filter(isObject)
      .map(nameAndId);
    const last = turns.at(-1);
    if (last?.role === role) {
      last.calls.push(...calls);
      last.responses.push(...responses);
    } else turns.push({ role, calls, responses });
  }
  return turns;
}

function nameAndId({ name, id }: JsonObject): { name: string; id: string | undefined } {
  return { name: String(name), id: typeof id === 'string' ? id : undefined };
}

function callOutOfPlace(): ReturnType<typeof invalidArgument> {
  // gemini-cli#26486
  return invalidArgument(
    'Please ensure that function call turn comes immediately after a user turn or after a function response turn.',
  );
}

function checkResponses(calls: MergedTurn, answer: MergedTurn): void {
  if (answer.responses.length !== calls.calls.length) {
    // gemini-cli#3814
    throw invalidArgument(
      'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
    );
  }
  // The reference: `name` must "match the FunctionCall.name"; of the words of the error there is no public report.
  const open = calls.calls.map((call) => call.name);
  for (const response of answer.responses) {
    const at = open.indexOf(response.name);
    if (at === -1) {
      throw invalidArgument(
        `Please ensure that function response names match the function call names: ${response.name}`,
      );
    }
    open.splice(at, 1);
  }
}
