import { type CheckContext, checkDocument } from '../config/check-document.ts';
import { readEnvironment } from '../config/environment.ts';
import { fillDocument } from '../config/fill-document.ts';
import type { Finding } from '../config/finding.ts';
import type { LoadedConfig } from '../config/load.ts';
import { formatPath } from '../config/path.ts';
import { ConfigError, type ConfigProblem } from '../config/problem.ts';
import { type Config, resolveConfig } from '../config/resolve.ts';
import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { tenantsOf } from './change.ts';
import {
  type EntryKind,
  INSTANCE_SECTIONS,
  isTenantList,
  joinDocument,
  LIST_KINDS,
  type OwnedEntry,
  type Owner,
  splitListName,
} from './entry.ts';
import type { Layers } from './layers.ts';
import { describeUnplaced } from './unplaced.ts';
import type { Vault } from './veil.ts';

export interface BuildContext {
  loaded: LoadedConfig;
  vault: Vault;
  /** Unix milliseconds. */
  now: number;
}

/** What changed since a config was built: all else need not be looked at again. */
export interface Since {
  config: Config;
  changed: readonly { kind: EntryKind; name: string }[];
  /** Somebody wants the changes and can be told no; else they are of a file, a restore or another instance. */
  isAsked: boolean;
}

export interface BuiltConfig {
  config: Config;
  /** What is stored and does nothing, as what it needs is not there. */
  idle: ConfigProblem[];
  /** Every tenant was looked at for that, not only those that changed. */
  isWhole: boolean;
}

/** How errors name who declares something. */
export function nameOwner(owner: Owner, loaded: LoadedConfig): string {
  return owner === 'api' ? 'admin API' : (loaded.config.file ?? 'config file');
}

/**
 * The config that all entries make, held against the schema and every check of a file. Of tenants only those that
 * changed are read again, for there may be very many.
 *
 * @throws ConfigError with all that is wrong
 */
export function buildConfig(layers: Layers, context: BuildContext, since?: Since): BuiltConfig {
  const { loaded, vault, now } = context;
  const { env, knownProviders } = loaded.context;
  const tenants = since ? tenantsOf(since.changed) : undefined;
  const entries = selectEntries(layers, tenants).filter((entry) => !isLeftOver(entry, layers, now));
  const written = joinDocument(entries);
  const findings: Finding[] = [];
  const filled = fillDocument(vault.unveil(written, findings), env);
  appendAll(findings, filled.findings);
  const document: JsonObject = isObject(filled.value) ? { ...filled.value } : {};
  for (const section of INSTANCE_SECTIONS) {
    const value = loaded.document[section];
    if (value !== undefined) document[section] = value;
  }
  const settings = readEnvironment(env);
  const check: CheckContext = { env, knownProviders, adminKey: settings.adminKey };
  const kept = since && tenants ? withoutTenants(since.config.tenants, tenants) : noTenants();
  const leadsNowhereNew =
    since?.changed.every(({ kind }) => kind === 'tenants' || isTenantList(kind)) ?? false;
  const others = leadsNowhereNew ? namesOf(kept) : kept;
  const whole = { ...document, tenants: Object.assign(noTenants(), others, document['tenants']) };
  const checked = checkDocument(document, check, whole);
  // What could not be read is told as that, and not again for what stands in its place.
  const unread = new Set(findings.map(({ path }) => formatPath(path)));
  const found = checked.findings.filter(({ path }) => !unread.has(formatPath(path)));
  appendAll(findings, found);
  const isIdle = (finding: Finding) => finding.isIdle === true && !isWanted(finding, since);
  const wrong = findings.filter((finding) => !isIdle(finding));
  const reported = { written, document, layers, loaded };
  if (checked.parsed === undefined || wrong.length > 0) throw new ConfigError(reportAll(wrong, reported));
  // The type of a parsed document is mutable; what was kept is frozen, and nothing changes it.
  const all = Object.assign(kept, checked.parsed.tenants) as typeof checked.parsed.tenants;
  const parsed = { ...checked.parsed, tenants: all };
  return {
    config: resolveConfig(parsed, loaded.config.file, settings, knownProviders, env),
    idle: reportAll(findings.filter(isIdle), reported),
    isWhole: !leadsNowhereNew,
  };
}

/** Whether changes that somebody asks for bring a limit of a tenant that limits nothing: they write it, or take away what it is on. */
function isWanted({ path }: Finding, since: Since | undefined): boolean {
  const [, tenant, , model] = path;
  if (!since?.isAsked) return false;
  return since.changed.some(
    ({ kind, name }) =>
      (kind === 'tenants' && name === tenant) ||
      (kind === 'models' && name === model) ||
      (kind === 'providers' && String(model).startsWith(`${name}/`)),
  );
}

/** Tenants that lead nowhere themselves, for what leads to them. */
function namesOf(tenants: object): object {
  const names: Record<string, object> = Object.create(null);
  for (const name in tenants) names[name] = NO_TENANT;
  return names;
}

const NO_TENANT = {};

function selectEntries(layers: Layers, tenants: ReadonlySet<string> | undefined): OwnedEntry[] {
  const entries = layers
    .kinds()
    .filter((kind) => kind !== 'tenants' && !isTenantList(kind))
    .flatMap((kind) => layers.ofKind(kind));
  if (tenants === undefined) {
    return [...entries, ...layers.ofKind('tenants'), ...LIST_KINDS.flatMap((kind) => layers.ofKind(kind))];
  }
  for (const name of tenants) {
    const tenant = layers.find('tenants', name);
    if (tenant) entries.push(tenant);
    for (const kind of LIST_KINDS) appendAll(entries, layers.ofTenant(kind, name));
  }
  return entries;
}

/** A grant that has ended is in nobody's way when its tenant goes. */
function isLeftOver({ kind, name, value }: OwnedEntry, layers: Layers, now: number): boolean {
  if (kind !== 'grants' || layers.find('tenants', splitListName(name).tenant)) return false;
  const until = isObject(value) ? value['until'] : undefined;
  return typeof until === 'string' && Date.parse(until) <= now;
}

type MutableTenants = Record<string, Config['tenants'][string]>;

/** Without a prototype, as the config's own. */
function noTenants(): MutableTenants {
  return Object.create(null);
}

function withoutTenants(tenants: Config['tenants'], names: ReadonlySet<string>): MutableTenants {
  const kept = noTenants();
  for (const name in tenants) {
    const tenant = tenants[name];
    if (tenant !== undefined && !names.has(name)) kept[name] = tenant;
  }
  return kept;
}

interface Reported {
  written: JsonObject;
  document: JsonObject;
  layers: Layers;
  loaded: LoadedConfig;
}

/** Findings as problems that say whose the entry is. */
function reportAll(findings: readonly Finding[], reported: Reported): ConfigProblem[] {
  const { written, document, layers, loaded } = reported;
  const told = findings.map((finding) => ({ ...finding, ...describeOrphans(finding, layers) }));
  return describeUnplaced(told, {
    value: document,
    written,
    env: loaded.context.env,
    ownerOf: (finding) => nameOwner(ownerAt(finding, layers), loaded),
  });
}

/** A key or a grant whose tenant is gone makes a tenant of its own, without `models`. */
function describeOrphans({ path }: Finding, layers: Layers): { message: string } | undefined {
  const [section, name] = path;
  if (section !== 'tenants' || typeof name !== 'string' || path[2] !== 'models') return undefined;
  if (layers.find('tenants', name)) return undefined;
  const left = LIST_KINDS.flatMap((kind) => layers.ofTenant(kind, name));
  const kinds = new Set(left.map(({ kind }) => kind));
  const owners = new Set(left.map(({ owner }) => (owner === 'api' ? 'the admin API' : 'the file')));
  return {
    message: `the tenant is not there, and has ${[...kinds].join(' and ')} still (made by ${[...owners].join(' and ')}): revoke them first`,
  };
}

function ownerAt({ path }: Finding, layers: Layers): Owner {
  const [section, name, part, index] = path;
  const text = String(name);
  const list = LIST_KINDS.find((kind) => kind === part);
  if (section === 'tenants' && list && typeof index === 'number') {
    return layers.ofTenant(list, text)[index]?.owner ?? 'file';
  }
  const named = layers.kinds().find((kind) => kind === section);
  if (named) {
    const [part] = LIST_KINDS.flatMap((kind) => layers.ofTenant(kind, text));
    return layers.find(named, text)?.owner ?? part?.owner ?? 'file';
  }
  return layers.find('settings', String(section))?.owner ?? 'file';
}
