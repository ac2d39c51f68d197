import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject } from '../conversation/json.ts';
import { insertFirst } from '../dialects/default-parameters.ts';
import { findTopLevelFields, parseField, spliceBody } from '../dialects/request-fields.ts';
import type { Call } from './call.ts';
import type { Caller, Snapshot } from './snapshot.ts';
import type { Upload } from './upload.ts';

/** A name longer than this is no model's, and names come back in headers, records and logs. */
const MAX_MODEL_LENGTH = 256;

/**
 * Who calls. Asked before the body of a request is read.
 *
 * @throws GatewayError `unauthenticated`
 */
export function authenticate(snapshot: Snapshot, credential: string | undefined): Caller {
  if (credential === undefined) {
    throw new GatewayError(
      'unauthenticated',
      'No API key was sent. Send a Fairlead key (sk-fl-…) where your client puts its key, or as "Authorization: Bearer KEY".',
      { code: 'missing_api_key' },
    );
  }
  const caller = snapshot.tokens?.find(credential) ?? snapshot.findCaller(credential);
  if (!caller) {
    throw new GatewayError(
      'unauthenticated',
      'The API key is not valid here: it is unknown, expired or revoked. Fairlead takes its own keys (sk-fl-…), not a provider’s.',
      { code: 'invalid_api_key' },
    );
  }
  return caller;
}

/**
 * The first step: what is asked.
 *
 * @throws GatewayError `invalid_request`: not JSON, no model, a wrong type.
 */
export function admitCall(call: Call): void {
  const { body, door, address } = call;
  const fields = call.snapshot.fieldsOf.get(door.passThrough) ?? door.passThrough.fields;
  const spans = findTopLevelFields(body, fields, call.words);
  call.spans = spans;
  if (address) {
    call.model = checkModel(address.model);
    call.stream = address.stream;
    return;
  }
  const model = spans['model'] ? parseField(body, spans['model'], 'model') : undefined;
  const usual = model === undefined || model === null ? usualModel(call) : undefined;
  call.model = checkModel(usual ?? model);
  if (usual !== undefined) nameModel(call, usual);
  const stream = spans['stream'] ? parseField(body, spans['stream'], 'stream') : undefined;
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    throw invalidRequest("'stream' must be true or false.", 'stream');
  }
  call.stream = stream === true && door.operation === 'generate';
  if (spans['stream_options'])
    call.includeUsage = asksForUsage(parseField(body, spans['stream_options'], 'stream_options'));
}

/** What a door takes for named where nothing is, as far as it leads anywhere: permissions, routes and bills go by a name. */
function usualModel({ door, snapshot }: Call): string | undefined {
  if (!door.usualModel) return undefined;
  const { name, provider } = door.usualModel;
  const names = [name, `${provider}/${name}`];
  return names.find((one) => snapshot.routes.resolve(one) !== undefined);
}

function nameModel(call: Call, model: string): void {
  const { body, spans, snapshot, door } = call;
  const text = JSON.stringify(model);
  call.body = spans['model']
    ? spliceBody(body, [{ span: spans['model'], text }])
    : insertFirst(body, `"model":${text}`);
  const fields = snapshot.fieldsOf.get(door.passThrough) ?? door.passThrough.fields;
  call.spans = findTopLevelFields(call.body, fields);
}

/** The gateway asks in the client's place, so a provider could not say what is wrong with how the client did. */
function asksForUsage(streamOptions: unknown): boolean {
  if (streamOptions === null) return false;
  if (!isObject(streamOptions)) throw invalidRequest("'stream_options' must be an object.", 'stream_options');
  const { include_usage: asked = null } = streamOptions;
  if (asked !== null && typeof asked !== 'boolean') {
    throw invalidRequest(
      "'stream_options.include_usage' must be true or false.",
      'stream_options.include_usage',
    );
  }
  return asked === true;
}

/**
 * The same for a form, of which only the model is read.
 *
 * @throws GatewayError `invalid_request`, `payload_too_large`, `overloaded`, `cancelled`
 */
export async function admitUpload(call: Call, upload: Upload): Promise<void> {
  call.model = checkModel(await upload.readModel());
}

function checkModel(model: unknown): string {
  if (typeof model !== 'string' || model === '') {
    throw invalidRequest(
      model === undefined ? "'model' is missing." : "'model' must be a non-empty string.",
      'model',
    );
  }
  if (model.length > MAX_MODEL_LENGTH) {
    throw invalidRequest(`'model' is longer than ${MAX_MODEL_LENGTH} characters.`, 'model');
  }
  return model;
}
