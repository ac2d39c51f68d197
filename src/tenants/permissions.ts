import { compileGlob } from '../config/glob.ts';
import { promptNamed } from '../config/prompt-prefix.ts';
import type { ModelConfig, TenantConfig } from '../config/resolve.ts';

/** Answers whether a tenant may call a model by this public name. */
export type ModelPermission = (model: string) => boolean;

/**
 * Names come from callers: neither how many they think of nor how long they are may fill the memory.
 * What is not remembered is decided anew, which costs a fraction of a microsecond per glob.
 */
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 200;

/** Compiles a tenant's `models` (names, globs such as `openai/*`, `*` for all). An empty list allows nothing. */
export function compileModelPermission(models: readonly string[]): ModelPermission {
  if (models.includes('*')) return () => true;
  const names = new Set(models.filter((entry) => !entry.includes('*')));
  const globs = models.filter((entry) => entry.includes('*')).map(compilePattern);
  if (globs.length === 0) return (model) => names.has(model);

  const remembered = new Map<string, boolean>();
  return (model) => {
    if (names.has(model)) return true;
    const known = remembered.get(model);
    if (known !== undefined) return known;
    const allowed = globs.some((matches) => matches(model));
    if (model.length <= MAX_REMEMBERED_LENGTH) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(model, allowed);
    }
    return allowed;
  };
}

/**
 * What in a model's name leads to more than the model: what an operator has set up at OpenRouter (which chooses other models), its search
 * of the web, a deployment at Fireworks. Of every provider, for what a server of OpenAI's kin is, its base URL does not tell.
 *
 * Sources: OpenRouter, "Presets" ("Combined Model and Preset") and "Online variant"; Fireworks, "Deploying models" (`MODEL#DEPLOYMENT`).
 */
const FURTHER_PARTS: readonly RegExp[] = [/@preset\//i, /:online(?![\w-])/i, /#/];

/** A pattern is about models: what leads further it has to say, too, or be for all that the provider has. */
function compilePattern(pattern: string): ModelPermission {
  const matches = compileGlob(pattern);
  const unsaid = FURTHER_PARTS.filter((part) => !part.test(pattern));
  return (model) => {
    if (!matches(model)) return false;
    const slash = model.indexOf('/');
    if (slash === -1 || !unsaid.some((part) => part.test(model))) return true;
    return matches(`${model.slice(0, slash)}/*`);
  };
}

/**
 * What nobody may call without an approval, by name: the groups of names of which one each must be granted. A target of
 * a model that needs an approval needs one under its own name too, and who may call all of a provider's must have all.
 */
export type Approvals = ReadonlyMap<string, readonly (readonly string[])[]>;

type ApprovedModel = Pick<ModelConfig, 'approval'> & {
  targets: readonly { provider: string; model: string }[];
};

export function compileApprovals(models: Readonly<Record<string, ApprovedModel>>): Approvals {
  const approvals = new Map<string, string[][]>();
  const byTarget = new Map<string, string[]>();
  for (const [name, { approval, targets }] of Object.entries(models)) {
    if (approval !== 'required') continue;
    approvals.set(name, [[name]]);
    for (const { provider, model } of targets) {
      const target = `${provider}/${model}`;
      const known = byTarget.get(target);
      if (known) {
        if (!known.includes(name)) known.push(name);
        continue;
      }
      const names = [target, name];
      byTarget.set(target, names);
      approvals.set(target, [names]);
      const ofProvider = approvals.get(`${provider}/*`);
      if (ofProvider) ofProvider.push(names);
      else approvals.set(`${provider}/*`, [names]);
    }
  }
  return approvals;
}

/**
 * What a tenant may call: by its `models` what needs no approval, and whatever is granted to it, for as long as it is.
 *
 * @param now Unix milliseconds, asked at each call: a grant ends by itself
 */
export function compileTenantPermission(
  { models, grants }: Pick<TenantConfig, 'models' | 'grants'>,
  approvals: Approvals,
  now: () => number,
): ModelPermission {
  const isListed = compileModelPermission(models);
  const isGranted = compileGrants(
    (grants ?? []).filter(({ model }) => promptNamed(model) === undefined),
    now,
  );
  if (!isGranted && approvals.size === 0) return isListed;
  return (model) => {
    if (isListed(model)) {
      const groups = approvals.get(model);
      if (!groups) return true;
      if (isGranted && groups.every((names) => names.some(isGranted))) return true;
    }
    return isGranted?.(model) === true;
  };
}

/** The same of prompts: its `prompts`, and what is granted to it as `prompt/NAME`. What is granted of all models is no prompt. */
export function compilePromptPermission(
  { prompts, grants }: Pick<TenantConfig, 'prompts' | 'grants'>,
  now: () => number,
): ModelPermission {
  const isListed = compileModelPermission(prompts ?? []);
  const ofPrompts = (grants ?? []).flatMap(({ model, until }): Grant[] => {
    const prompt = promptNamed(model);
    return prompt === undefined ? [] : [{ model: prompt, ...(until !== undefined && { until }) }];
  });
  const isGranted = compileGrants(ofPrompts, now);
  return isGranted ? (prompt) => isListed(prompt) || isGranted(prompt) : isListed;
}

type Grant = Pick<NonNullable<TenantConfig['grants']>[number], 'model' | 'until'>;

/** `undefined` where nothing is granted. */
function compileGrants(grants: readonly Grant[], now: () => number): ModelPermission | undefined {
  if (grants.length === 0) return undefined;
  const ends = new Map<string, number>();
  const patterns: { matches: ModelPermission; until: number }[] = [];
  for (const { model, until = Number.POSITIVE_INFINITY } of grants) {
    ends.set(model, until);
    if (model.includes('*')) patterns.push({ matches: compilePattern(model), until });
  }
  return (model) => {
    const until = ends.get(model);
    if (until !== undefined && until > now()) return true;
    return patterns.some((pattern) => pattern.until > now() && pattern.matches(model));
  };
}
