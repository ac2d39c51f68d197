import { isObject } from '../conversation/json.ts';
import { findProviderKey, readVariable } from './environment.ts';
import type { Finding } from './finding.ts';
import type { KnownProvider } from './known-provider.ts';
import { type ConfigPath, select } from './path.ts';
import type { Environment } from './substitute.ts';
import { suggest } from './suggest.ts';

/** `prompt/NAME` in a client's `model` is a prompt, so no provider can have the name. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['prompt']);

/** What declared providers lack: an adapter that exists, an address, a credential. */
export function checkProviders(
  value: unknown,
  knownProviders: readonly KnownProvider[],
  env: Environment,
): Finding[] {
  return select(value, 'providers.*').flatMap(({ path, value: provider }) => {
    const name = String(path.at(-1));
    if (RESERVED_NAMES.has(name)) {
      return [
        {
          path,
          at: 'key' as const,
          message: `${name}/NAME is how clients reach prompts: choose another name`,
        },
      ];
    }
    if (!isObject(provider)) return [];
    const adapter = provider['adapter'] ?? name;
    const known = knownProviders.find((candidate) => candidate.name === adapter);
    if (known === undefined) return findUnknownAdapter(path, provider['adapter'], knownProviders);
    // The environment's key and address belong to the provider of that name, not to others of its kind.
    const ownEnv = name === known.name ? env : {};
    return findMissing(path, provider, known, ownEnv);
  });
}

function findUnknownAdapter(path: ConfigPath, adapter: unknown, known: readonly KnownProvider[]): Finding[] {
  const names = known.map((provider) => provider.name);
  const expected = `one of ${names.join(', ')}`;
  if (adapter === undefined) {
    const meant = suggest(String(path.at(-1)), names);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return [{ path, at: 'key', message: `is no built-in provider: write \`adapter\`, ${expected}${hint}` }];
  }
  if (typeof adapter !== 'string') return [];
  return [{ path: [...path, 'adapter'], message: `expected ${expected}`, found: 'value', candidates: names }];
}

function findMissing(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  if (known.inProcess !== undefined) return [];
  const findings: Finding[] = [];
  const variable = known.envBaseUrl === undefined ? undefined : readVariable(env, known.envBaseUrl);
  if (provider['baseUrl'] === undefined && known.baseUrl === undefined && variable === undefined) {
    findings.push({
      path,
      at: 'key',
      message: `baseUrl is missing: ${known.name} has no address of its own`,
    });
  }
  const needsKey = (known.credential ?? 'required') === 'required' && known.envKeys.length > 0;
  if (needsKey && provider['accounts'] === undefined && findProviderKey(known, env) === undefined) {
    // At an address of the operator's own, a proxy may add the key.
    if (provider['baseUrl'] === undefined) {
      const remedy = path.at(-1) === known.name ? `, or set ${known.envKeys.join(' or ')}` : '';
      findings.push({ path, at: 'key', message: `has no key: write accounts${remedy}` });
    }
  }
  return findings;
}
