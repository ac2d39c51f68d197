import { formatPath } from '../../config/path.ts';
import { nameOwner } from '../../control/build-config.ts';
import type { Change } from '../../control/change.ts';
import type { ChangeOptions } from '../../control/control-plane.ts';
import { refuseOtherForm } from '../../control/document-form.ts';
import { type EntryKind, INSTANCE_SECTIONS, splitDocument } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import type { Outcome } from '../../control/revision-maker.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { AdminRequest } from './admin-door.ts';
import { tellConfigError } from './parse.ts';

/**
 * The entries of a document that somebody sent: keys by their hashes, credentials encrypted.
 *
 * @param layers what it changes
 * @throws GatewayError where it holds what the API cannot own; ConfigError where it is of another form than the configuration
 */
export function readDocumentEntries(
  document: JsonObject,
  { role, parts }: Pick<AdminRequest, 'role' | 'parts'>,
  layers: Layers,
) {
  for (const section of INSTANCE_SECTIONS) {
    if (document[section] === undefined) continue;
    throw invalidRequest(
      `'${section}' belongs to each instance: write it into the config file of the instance.`,
      section,
      'instance_setting',
    );
  }
  if (role !== 'owner') refusePlaceholders(document, []);
  const { vault, loaded } = parts.control;
  refuseOtherForm(document, nameOwner('api', loaded), loaded.context.env);
  const stored = (kind: EntryKind, name: string) => layers.find(kind, name)?.value;
  return splitDocument(vault.veilSent(document, stored));
}

/** A placeholder could show what is in the gateway's environment to whoever may read the configuration or its calls. */
function refusePlaceholders(value: JsonValue | undefined, path: (string | number)[]): void {
  if (typeof value === 'string' && value.includes('${')) {
    const place = formatPath(path);
    throw new GatewayError('forbidden', `'${place}': only an owner may write placeholders.`, {
      code: 'role_required',
      param: place,
    });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, entry] of Object.entries(value)) {
    refusePlaceholders(entry, [...path, Array.isArray(value) ? Number(key) : key]);
  }
}

/** What of a document's own entry the document would become in a list of documents. */
export function documentOf(kind: EntryKind, name: string, value: JsonValue): JsonObject {
  return { [kind]: { [name]: value } };
}

/** Makes a change, and tells what is wrong with it in the words of the body. `prefix`: where the body is in the configuration. */
export async function makeChange(
  { parts, author }: Pick<AdminRequest, 'parts' | 'author'>,
  plan: (layers: Layers) => readonly Change[],
  prefix: string,
  options?: ChangeOptions,
): Promise<Outcome> {
  try {
    return await parts.control.change({ name: author, source: 'api' }, plan, options);
  } catch (error) {
    throw tellConfigError(error, prefix);
  }
}

/** An entry of the API's own; what the file declares is the file's to change. */
export function findOwn(layers: Layers, kind: EntryKind, name: string, file: string): JsonObject {
  const entry = layers.find(kind, name);
  if (!entry) throw notFound(kind, name);
  if (entry.owner === 'file') throw ownedByFile(kind, name, file);
  return isObject(entry.value) ? entry.value : {};
}

const NOUNS: Readonly<Record<EntryKind, string>> = {
  providers: 'provider',
  models: 'model',
  rollouts: 'rollout',
  adminKeys: 'admin key',
  tenants: 'tenant',
  keys: 'key',
  grants: 'grant',
  settings: 'setting',
};

export function notFound(kind: EntryKind, name: string): GatewayError {
  return new GatewayError('not_found', `There is no ${NOUNS[kind]} '${name}'.`, { code: 'not_found' });
}

export function ownedByFile(kind: EntryKind, name: string, file: string): GatewayError {
  return new GatewayError(
    'invalid_request',
    `The ${NOUNS[kind]} '${name}' is declared by both: ${file} has it already, and the admin API wants it. Change it in the file.`,
    { status: 409, code: 'declared_by_both' },
  );
}

export function alreadyThere(kind: EntryKind, name: string): GatewayError {
  return new GatewayError('invalid_request', `There is a ${NOUNS[kind]} '${name}' already.`, {
    status: 409,
    code: 'already_exists',
    param: 'name',
  });
}
