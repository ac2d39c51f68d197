import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import type { IncomingCall } from '../fake-provider.ts';
import { bytesReply, jsonReply, type Reply } from '../fake-reply.ts';
import type { Disruption } from '../fake-script.ts';
import { map, object, oneOf, text } from '../shape.ts';
import { badParameter, openAiError, throwFailure } from './errors.ts';
import { fieldOf, readForm } from './form.ts';
import { refuseViolations } from './violations.ts';

const PURPOSES = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'];
/** Alibaba's and Kimi's: the text of it is wanted. */
const KIN_PURPOSES = [...PURPOSES, 'file-extract'];

/** API reference, "Create batch". */
const BATCH_REQUEST = object(
  {
    input_file_id: text(),
    endpoint: oneOf(
      '/v1/responses',
      '/v1/chat/completions',
      '/v1/embeddings',
      '/v1/completions',
      '/v1/moderations',
    ),
    completion_window: oneOf('24h'),
  },
  { metadata: map(text()) },
);

type AnswerKept = (
  call: IncomingCall,
  readBody: () => JsonValue | undefined,
  disruption: Disruption,
) => Reply | undefined;

/** What each line of a batch uses, in the words of chat and of the batch. */
const LINE_USAGE = {
  prompt_tokens: 100,
  prompt_tokens_details: { cached_tokens: 20 },
  completion_tokens: 30,
  completion_tokens_details: { reasoning_tokens: 10 },
  total_tokens: 130,
};

interface KeptBatch {
  object: JsonObject;
  /** How often it says yet that it is under way. */
  looks: number;
  end: string;
  hasEnded: boolean;
}

/**
 * Files and batches of one fake OpenAI. A batch has ended as soon as it is asked for, unless its metadata say how often it is under way
 * before (`looks`) and how it ends (`end`).
 *
 * @param isKin a server of its kin: its batches say neither their model nor what they used
 */
export function startKeeping(isKin = false): AnswerKept {
  const files = new Map<string, { object: JsonObject; content: Buffer }>();
  const batches = new Map<string, KeptBatch>();
  let made = 0;
  const keepFile = (content: Buffer, filename: string, purpose: string): JsonObject => {
    made += 1;
    const id = `file-${randomUUID()}${made}`;
    const kept = { id, object: 'file', bytes: content.length, created_at: 1_715_367_049, filename, purpose };
    files.set(id, { object: { ...kept, status: 'processed' }, content });
    return { ...kept, status: 'processed' };
  };
  const findFile = (id: string) => {
    const file = files.get(id);
    if (!file) throw openAiError(404, `No such File object: ${id}`, { param: 'id' });
    return file;
  };

  const endBatch = (batch: KeptBatch) => {
    batch.hasEnded = true;
    const { object: described, end } = batch;
    if (end === 'failed') {
      batch.object = { ...described, status: end, request_counts: { total: 0, completed: 0, failed: 0 } };
      return;
    }
    const lines = readLines(findFile(String(described['input_file_id'])).content);
    const answers = lines.map((line, index) => `${JSON.stringify(answerLine(line, index))}\n`).join('');
    const output = keepFile(Buffer.from(answers), 'output.jsonl', 'batch_output');
    batch.object = {
      ...described,
      status: end,
      output_file_id: output['id'] ?? '',
      request_counts: { total: lines.length, completed: lines.length, failed: 0 },
      ...(!isKin && { model: modelOf(lines[0]), usage: sumLines(lines.length) }),
    };
  };

  return (call, readBody, disruption) => {
    const [, kind, id, suffix] =
      /^\/v1\/(files|batches)(?:\/([^/]+))?(\/content|\/cancel)?$/.exec(call.path) ?? [];
    if (kind === undefined) return undefined;
    throwFailure(disruption);
    switch (`${call.method} ${kind}${id === undefined ? '' : '/ID'}${suffix ?? ''}`) {
      case 'POST files': {
        const form = readForm(call);
        const file = form.find(({ name }) => name === 'file');
        const purpose = fieldOf(form, 'purpose') ?? '';
        if (file?.filename === undefined) throw badParameter("'file' is a required property", null);
        if (!(isKin ? KIN_PURPOSES : PURPOSES).includes(purpose))
          throw badParameter(`'${purpose}' is not one of the purposes`, 'purpose');
        return jsonReply(keepFile(file.content, file.filename, purpose), disruption);
      }
      case 'GET files':
        return jsonReply({
          object: 'list',
          data: [...files.values()].map(({ object: kept }) => kept),
          has_more: false,
        });
      case 'GET files/ID':
        return jsonReply(findFile(id ?? '').object, disruption);
      case 'GET files/ID/content':
        return bytesReply(findFile(id ?? '').content, 'application/octet-stream', disruption);
      case 'DELETE files/ID':
        findFile(id ?? '');
        files.delete(id ?? '');
        return jsonReply({ id: id ?? '', object: 'file', deleted: true }, disruption);
      case 'POST batches': {
        const body = readBody();
        refuseViolations(body, BATCH_REQUEST);
        if (!isObject(body)) throw badParameter('a batch is an object', null);
        findFile(String(body['input_file_id']));
        made += 1;
        const batch = {
          id: `batch_${made}${randomUUID()}`,
          object: 'batch',
          ...body,
          status: 'validating',
        };
        const script = isObject(body['metadata']) ? body['metadata'] : {};
        const [looks, end] = [Number(script['looks'] ?? 0), String(script['end'] ?? 'completed')];
        batches.set(batch.id, { object: batch, looks, end, hasEnded: false });
        return jsonReply(batch, disruption);
      }
      case 'GET batches/ID':
      case 'POST batches/ID/cancel': {
        const batch = batches.get(id ?? '');
        if (!batch) throw openAiError(404, `No batch found with id '${id}'.`);
        if (call.method === 'POST') {
          Object.assign(batch, { end: 'cancelled', hasEnded: false });
          batch.object = { ...batch.object, status: 'cancelling' };
        } else if (batch.looks > 0) {
          batch.looks -= 1;
          batch.object = { ...batch.object, status: 'in_progress' };
        } else if (!batch.hasEnded) endBatch(batch);
        return jsonReply(batch.object, disruption);
      }
      default:
        throw openAiError(405, `Not allowed to ${call.method} on ${call.path}`);
    }
  };
}

function readLines(content: Buffer): JsonObject[] {
  const lines = content.toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as JsonObject);
}

function modelOf(line: JsonObject | undefined): JsonValue {
  const body = line?.['body'];
  return (isObject(body) && body['model']) || null;
}

/** API reference, "The request output object". */
function answerLine(line: JsonObject, index: number): JsonObject {
  const body = {
    id: `chatcmpl-${index}`,
    object: 'chat.completion',
    created: 1_715_367_049,
    model: modelOf(line),
    choices: [
      { index: 0, message: { role: 'assistant', content: 'Hi', refusal: null }, finish_reason: 'stop' },
    ],
    usage: LINE_USAGE,
  };
  return {
    id: `batch_req_${index}`,
    custom_id: line['custom_id'] ?? null,
    response: { status_code: 200, request_id: `req_${index}`, body },
    error: null,
  };
}

function sumLines(count: number): JsonObject {
  return {
    input_tokens: 100 * count,
    input_tokens_details: { cached_tokens: 20 * count },
    output_tokens: 30 * count,
    output_tokens_details: { reasoning_tokens: 10 * count },
    total_tokens: 130 * count,
  };
}
