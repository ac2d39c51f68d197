import type { DialectName } from '../conversation/conversation.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import { findInTexts } from '../dialects/files-in-texts.ts';
import { hasEscapedLetter } from '../dialects/held-bytes.ts';
import {
  addedTools,
  findDoubtfulModel,
  findModelsInTools,
  findNamedModels,
  mayAddTools,
  mayNameInTools,
  mayNameModels,
  type NamedModel,
  type ToolList,
} from '../dialects/named-models.ts';
import { parseField } from '../dialects/request-fields.ts';
import type { Target } from '../routing/target.ts';
import { adviseAccess } from './advise-access.ts';
import type { Call } from './call.ts';
import { heldNotFound } from './refuse-held.ts';
import type { Caller } from './snapshot.ts';

/**
 * Looks in a body that goes to a provider as it came for further models, each of which the caller must be permitted to
 * call. Those who may call all of the provider's models are not asked.
 *
 * @throws GatewayError `invalid_request`, `forbidden` for another model.
 */
export function checkRelayed(call: Call, { upstream }: Target): void {
  const { caller, spans, door } = call;
  if (caller.mayCall(upstream.allModels)) return;
  const { name: dialect } = door.dialect;
  if (mayNameModels(dialect, spans) || mayInputAddTools(call)) checkFields(call, upstream.name, dialect);
}

function checkFields(call: Call, provider: string, dialect: CallerDialectName): void {
  const read = (field: string) => readModelField(call, field);
  checkModels(call, provider, findNamedModels(dialect, read));
  if (mayToolsNameModels(call)) checkModels(call, provider, findModelsInTools(readTools(call)));
}

/** Whether tools name models: those of nearly all calls are not parsed for it. */
export function mayToolsNameModels(call: Call): boolean {
  const { spans, words, body } = call;
  const hasTools = spans['tools'] !== undefined || mayInputAddTools(call);
  return hasTools && (mayNameInTools(words) || hasEscapedLetter(body));
}

/** Whether items of the input add tools, as only the Responses API has it. */
export function mayInputAddTools({ spans, words, body, door }: Call): boolean {
  if (door.dialect.name !== 'responses' || spans['input'] === undefined) return false;
  return mayAddTools(words) || hasEscapedLetter(body);
}

/**
 * The tools of a call, with those that its input adds.
 *
 * @throws GatewayError `invalid_request` where two readers could read different models in them
 */
export function readTools(call: Call): ToolList[] {
  const tools = readModelField(call, 'tools');
  const said = tools === undefined ? [] : [{ tools, path: 'tools' }];
  if (!mayInputAddTools(call)) return said;
  return [...said, ...addedTools(readModelField(call, 'input'))];
}

/**
 * A top-level field that names models.
 *
 * @throws GatewayError `invalid_request` where two readers could read different ones in it
 */
export function readModelField({ body, spans }: Call, field: string): JsonValue | undefined {
  const span = spans[field];
  if (!span) return undefined;
  const value = parseField(body, span, field) as JsonValue;
  const doubtful =
    typeof value === 'object' ? findDoubtfulModel(body.subarray(span.start, span.end), value) : undefined;
  if (doubtful === undefined) return value;
  const where = field === 'tools' ? 'one of the tools' : `'${field}'`;
  throw invalidRequest(`'${doubtful}' stands twice in ${where}, or is escaped.`, field);
}

/**
 * The same for what was encoded for a provider, in its dialect, and for the files that only this provider reads in texts: those that the caller's own
 * texts name were found before (`check-texts.ts`).
 *
 * @throws GatewayError as for an id that nobody has for such a file, too
 */
export function checkEncoded(call: Call, { upstream }: Target, dialect: DialectName, body: JsonObject): void {
  const { filesInTexts } = upstream.declaration;
  const hidden =
    filesInTexts && findInTexts(body, filesInTexts).find(({ id }) => !call.checkedFiles?.has(id));
  if (hidden) throw heldNotFound(call, hidden);
  if (call.caller.mayCall(upstream.allModels) || !isCallerDialect(dialect)) return;
  checkModels(call, upstream.name, [
    ...findNamedModels(dialect, (field) => body[field]),
    ...findModelsInTools([{ tools: body['tools'] ?? null, path: 'tools' }, ...addedTools(body['input'])]),
  ]);
}

function isCallerDialect(dialect: DialectName): dialect is CallerDialectName {
  return dialect !== 'converse';
}

function checkModels({ caller }: Call, provider: string, named: readonly NamedModel[]): void {
  for (const { model = '*', path } of named) {
    const called = `${provider}/${model}`;
    if (!caller.mayCall(called)) throw notAllowed(caller, path, called);
  }
}

function notAllowed(caller: Caller, path: string, model: string): GatewayError {
  return new GatewayError(
    'forbidden',
    `'${path}' may lead to a model that this key may not call: it needs the permission '${model}' for it. ${adviseAccess(caller, model)}`,
    { param: path, code: 'model_not_allowed' },
  );
}
