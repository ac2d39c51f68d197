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

/** Files and batches of one fake OpenAI. A batch is done as soon as it is asked for. */
export function startKeeping(): AnswerKept {
  const files = new Map<string, { object: JsonObject; content: Buffer }>();
  const batches = new Map<string, JsonObject>();
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
        if (!PURPOSES.includes(purpose))
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
        batches.set(batch.id, batch);
        return jsonReply(batch, disruption);
      }
      case 'GET batches/ID':
      case 'POST batches/ID/cancel': {
        const batch = batches.get(id ?? '');
        if (!batch) throw openAiError(404, `No batch found with id '${id}'.`);
        const output = keepFile(Buffer.from('{"custom_id":"1"}\n'), 'output.jsonl', 'batch_output');
        const done = { ...batch, status: 'completed', output_file_id: output['id'] ?? '' };
        const now = call.method === 'GET' ? done : { ...batch, status: 'cancelling' };
        batches.set(String(batch['id']), now);
        return jsonReply(now, disruption);
      }
      default:
        throw openAiError(405, `Not allowed to ${call.method} on ${call.path}`);
    }
  };
}
