import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { isPresent } from './environment.ts';
import { targetName } from './fields.ts';
import type { Finding } from './finding.ts';
import type { KnownProvider } from './known-provider.ts';
import { type ConfigPath, formatPath, type Selected, select, valueAt, visit } from './path.ts';
import { checkReleases } from './release-checks.ts';
import type { Environment } from './substitute.ts';
import { suggest } from './suggest.ts';

/*
 * What no single value can tell: whether names lead somewhere, and whether what must be unique is. Works on the
 * value as it was read, so that these errors show together with those of the schema; what has a wrong shape is left
 * to the schema.
 */

interface Names {
  /** Declared in the file or there without it. */
  providers: ReadonlySet<string>;
  models: ReadonlySet<string>;
  tenants: ReadonlySet<string>;
  known: ReadonlyMap<string, KnownProvider>;
}

/** Every kind of reference: where it stands, and what is wrong with it. */
const REFERENCES: readonly {
  patterns: string[];
  check(selected: Selected, names: Names): Finding | undefined;
}[] = [
  {
    patterns: [
      'models.*.targets[]',
      'models.*.targets[].target',
      'models.*.fallbacks.contextLength[]',
      'models.*.fallbacks.contextLength[].target',
      'models.*.fallbacks.contentPolicy[]',
      'models.*.fallbacks.contentPolicy[].target',
      'rollouts.*.stable.target',
      'rollouts.*.candidate.target',
    ],
    check: checkTarget,
  },
  { patterns: ['rollouts.*.gates.judge.model'], check: checkModelOrGlob },
  { patterns: ['tenants.*.models[]', 'tenants.*.keys[].models[]'], check: checkModelOrGlob },
  { patterns: ['issuers.*.tenant', 'issuers.*.tenants.*'], check: checkTenant },
  { patterns: ['rollouts.*.model', 'models.*.successor'], check: checkModel },
];

export interface ReferenceContext {
  knownProviders: readonly KnownProvider[];
  env: Environment;
  adminKey: string | undefined;
}

/**
 * Everything that is wrong between the parts of a config.
 *
 * @param changed what must be unique is looked for here only; the whole where absent
 */
export function checkReferences(
  value: unknown,
  { knownProviders, env, adminKey }: ReferenceContext,
  changed = value,
): Finding[] {
  const names: Names = {
    providers: new Set([
      ...keysOf(valueAt(value, ['providers'])),
      ...knownProviders.filter((provider) => isPresent(provider, env)).map((provider) => provider.name),
    ]),
    models: new Set(keysOf(valueAt(value, ['models']))),
    tenants: new Set(keysOf(valueAt(value, ['tenants']))),
    known: new Map(knownProviders.map((provider) => [provider.name, provider])),
  };
  const references = REFERENCES.flatMap(({ patterns, check }) =>
    patterns.flatMap((pattern) => select(value, pattern)).map((selected) => check(selected, names)),
  );
  return [
    ...references.filter((finding) => finding !== undefined),
    ...select(value, 'tenants.*.modelLimits').flatMap((limits) => checkLimitedModels(limits, names)),
    ...select(value, 'rollouts.*').flatMap((rollout) => checkRelease(rollout, names)),
    ...checkReleases(value),
    ...checkUnique(changed),
    ...findRepeated(value, ['issuers.*.issuer'], 'is the same issuer as'),
    ...findRepeated(value, ['rollouts.*.model'], 'is moved already by'),
    ...findRepeated(value, ['rollouts.*.prompt'], 'is moved already by'),
    ...checkAdminKey(changed, adminKey),
    ...checkModelCase(names.models),
  ];
}

function checkTarget({ path, value }: Selected, { providers, known }: Names): Finding | undefined {
  if (typeof value !== 'string') return undefined;
  const slash = value.indexOf('/');
  const provider = value.slice(0, slash);
  if (slash < 1 || providers.has(provider)) return undefined;
  const envKeys = known.get(provider)?.envKeys ?? [];
  const orSet = envKeys.length > 0 ? `, or has its key in ${envKeys.join(' or ')}` : '';
  return {
    path,
    message: `expected a target of a provider that is declared under providers${orSet}`,
    found: 'value',
    candidates: [...providers].map((name) => name + value.slice(slash)),
  };
}

function checkModelOrGlob(selected: Selected, names: Names): Finding | undefined {
  const { path, value } = selected;
  if (typeof value !== 'string' || value.includes('*')) return undefined;
  return value.includes('/') ? checkTarget(selected, names) : checkModel({ path, value }, names);
}

/** A limit on a model that is not there limits nothing. */
function checkLimitedModels({ path, value }: Selected, names: Names): Finding[] {
  return keysOf(value).flatMap((model) => {
    const finding = checkModelOrGlob({ path: [...path, model], value: model }, names);
    if (finding === undefined) return [];
    const meant = suggest(model, finding.candidates ?? []);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return [{ path: finding.path, message: `${finding.message}${hint}`, at: 'key' as const, isIdle: true }];
  });
}

function checkModel({ path, value }: Selected, { models }: Names): Finding | undefined {
  if (typeof value !== 'string' || models.has(value)) return undefined;
  const message = 'expected a model that is declared under models';
  return { path, message, found: 'value', candidates: [...models] };
}

function checkTenant({ path, value }: Selected, { tenants }: Names): Finding | undefined {
  if (typeof value !== 'string' || tenants.has(value)) return undefined;
  const message = 'expected a tenant that is declared under tenants';
  return { path, message, found: 'value', candidates: [...tenants] };
}

/** Where a model moves, both of its releases are targets; where a prompt moves, versions. */
function checkRelease({ path, value }: Selected, names: Names): Finding[] {
  if (!isObject(value)) return [];
  if (value['model'] === undefined)
    return value['prompt'] === undefined ? [] : checkVersions({ path, value });
  const findings: Finding[] = [];
  for (const side of ['stable', 'candidate']) {
    const release: Selected = { path: [...path, side], value: value[side] };
    // Mappings and missing sides are seen to elsewhere.
    if (release.value === undefined || isObject(release.value)) continue;
    if (typeof release.value === 'number') {
      const message =
        'expected a target: the number of a release is taken by PUT /admin/v1/rollouts/NAME alone, which writes out what it is';
      findings.push({ path: release.path, message });
      continue;
    }
    const issue = targetName().safeParse(release.value).error?.issues[0];
    const finding =
      issue === undefined
        ? checkTarget(release, names)
        : { path: release.path, message: `expected ${issue.message}`, found: 'value' as const };
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

/** Which versions there are only the store knows. */
function checkVersions({ path, value }: Selected): Finding[] {
  const { stable, candidate }: JsonObject = isObject(value) ? value : {};
  const mappings = Object.entries({ stable, candidate }).filter(([, side]) => isObject(side));
  const findings = mappings.map(([side]): Finding => {
    const message = 'expected the number, a label or the hash of a version of the prompt';
    return { path: [...path, side], message, found: 'value' };
  });
  if (stable === undefined || String(stable) !== String(candidate) || findings.length > 0) return findings;
  return [{ path: [...path, 'candidate'], message: 'is the same as stable' }];
}

/** By what the entries of a list are told from each other. */
const UNIQUE_FIELDS = [
  { lists: 'providers.*.accounts', field: 'name' },
  { lists: 'tenants.*.keys', field: 'name' },
  { lists: 'tenants.*.grants', field: 'model' },
];

function checkUnique(value: unknown): Finding[] {
  const findings: Finding[] = ['secret', 'secretHash'].flatMap((field) =>
    findRepeated(value, [`adminKeys.*.${field}`, `tenants.*.keys[].${field}`], 'has the same secret as').map(
      // Whoever wrote a secret may be told of by what is stored of it, its hash: the key is what has it.
      (finding) => ({ ...finding, hideKey: true }),
    ),
  );
  for (const { lists, field } of UNIQUE_FIELDS) appendAll(findings, findRepeatedNames(value, lists, field));
  return findings;
}

/** What has the name of another in its list. `lists`: a pattern of lists, `field`: what names their entries. */
export function findRepeatedNames(value: unknown, lists: string, field: string): Finding[] {
  const findings: Finding[] = [];
  visit(value, lists, (list, at) => {
    if (!Array.isArray(list) || list.length < 2) return;
    for (const { path, ...finding } of findRepeated(list, [`[].${field}`], `has the same ${field} as`, at)) {
      findings.push({ ...finding, path: [...at, ...path] });
    }
  });
  return findings;
}

/** A tenant's key that is the admin key too would give that tenant everything. */
function checkAdminKey(value: unknown, adminKey: string | undefined): Finding[] {
  const findings: Finding[] = [];
  if (adminKey === undefined) return findings;
  for (const pattern of ['adminKeys.*.secret', 'tenants.*.keys[].secret']) {
    visit(value, pattern, (secret, path) => {
      if (secret !== adminKey) return;
      findings.push({
        path: [...path],
        message: 'is the same as FAIRLEAD_ADMIN_KEY: choose another secret',
      });
    });
  }
  return findings;
}

/** @param below leads to the value, in the message */
function findRepeated(
  value: unknown,
  patterns: readonly string[],
  message: string,
  below: ConfigPath = [],
): Finding[] {
  const findings: Finding[] = [];
  if (!hasRepeated(value, patterns)) return findings;
  const first = new Map<unknown, ConfigPath>();
  for (const { path, value: text } of patterns.flatMap((pattern) => select(value, pattern))) {
    if (typeof text !== 'string') continue;
    const earlier = first.get(text);
    if (earlier === undefined) first.set(text, path);
    else findings.push({ path, message: `${message} ${formatPath([...below, ...earlier.slice(0, -1)])}` });
  }
  return findings;
}

/** Nearly always nothing is, and then no path is needed. */
function hasRepeated(value: unknown, patterns: readonly string[]): boolean {
  const seen = new Set<string>();
  let texts = 0;
  for (const pattern of patterns) {
    visit(value, pattern, (text) => {
      if (typeof text !== 'string') return;
      texts += 1;
      seen.add(text);
    });
  }
  return seen.size < texts;
}

/** `Smart` beside `smart`: one of them is a slip that sends calls to the wrong targets. */
function checkModelCase(models: ReadonlySet<string>): Finding[] {
  const first = new Map<string, string>();
  const findings: Finding[] = [];
  for (const model of models) {
    const folded = model.toLowerCase();
    const earlier = first.get(folded);
    if (earlier === undefined) first.set(folded, model);
    else
      findings.push({
        path: ['models', model],
        at: 'key',
        message: `collides with "${earlier}": only case differs`,
      });
  }
  return findings;
}

function keysOf(value: unknown): string[] {
  return isObject(value) ? Object.keys(value) : [];
}
