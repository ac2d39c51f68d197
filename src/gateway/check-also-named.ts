import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { findTopLevelFields } from '../dialects/request-fields.ts';
import type { Target } from '../routing/target.ts';
import type { AlsoNames } from '../upstream/provider.ts';
import { adviseAccess } from './advise-access.ts';
import type { Call } from './call.ts';
import { heldNotFound } from './refuse-held.ts';
import type { Caller } from './snapshot.ts';

/**
 * Looks in what a provider is sent for the models and files that only this provider reads in it. Of nearly all providers
 * there is nothing to look for, and for who may call all of their models neither.
 *
 * @throws GatewayError `invalid_request`, `forbidden` for another model, as for an id that nobody has for a file.
 */
export function checkAlsoNamed(call: Call, { upstream }: Target, body: Buffer): void {
  const { alsoNames } = upstream.declaration;
  if (!alsoNames || call.caller.mayCall(`${upstream.name}/*`)) return;
  const request = tryParseJson(body.toString('utf8'));
  if (!isObject(request)) throw invalidRequest('The request body is not valid JSON.');
  const { models = [], routes = [], filesInTexts } = alsoNames;
  // Refuses those that stand twice, or in another case.
  findTopLevelFields(body, new Set([...models, ...routes]));
  checkModels(call, upstream.name, request, alsoNames);
  const text = filesInTexts && findText(request, '', filesInTexts);
  if (text) throw heldNotFound(call, { kind: 'file', ...text });
}

function checkModels(
  { caller }: Call,
  provider: string,
  request: JsonObject,
  { models = [], routes = [] }: AlsoNames,
): void {
  for (const field of routes) {
    if (isSaid(request[field])) throw notAllowed(caller, field, `${provider}/*`);
  }
  for (const field of models) {
    const said = request[field];
    if (!isSaid(said)) continue;
    for (const model of Array.isArray(said) ? said : [said]) {
      const called = `${provider}/${typeof model === 'string' ? model : '*'}`;
      if (!caller.mayCall(called)) throw notAllowed(caller, field, called);
    }
  }
}

function isSaid(value: JsonValue | undefined): value is Exclude<JsonValue, null> {
  return value !== undefined && value !== null;
}

function findText(value: JsonValue, path: string, pattern: RegExp): { id: string; path: string } | undefined {
  if (typeof value === 'string') {
    const at = value.search(pattern);
    return at === -1 ? undefined : { id: value.slice(at, at + SHOWN), path };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const isList = Array.isArray(value);
  for (const [key, inner] of Object.entries(value)) {
    const below = isList ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
    const found = inner === undefined ? undefined : findText(inner, below, pattern);
    if (found) return found;
  }
  return undefined;
}

/** How much of a text a refusal repeats. */
const SHOWN = 64;

function notAllowed(caller: Caller, field: string, model: string): GatewayError {
  return new GatewayError(
    'forbidden',
    `'${field}' may lead to a model that this key may not call: it needs the permission '${model}' for it. ${adviseAccess(caller, model)}`,
    { param: field, code: 'model_not_allowed' },
  );
}
