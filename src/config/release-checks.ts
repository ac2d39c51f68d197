import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../conversation/json.ts';
import type { Finding } from './finding.ts';
import { type Selected, select, valueAt } from './path.ts';

/** Where targets stand. */
const TARGETS = [
  'models.*.targets[]',
  'models.*.fallbacks.contextLength[]',
  'models.*.fallbacks.contentPolicy[]',
  'rollouts.*.stable',
  'rollouts.*.candidate',
];

/** What is wrong between releases and the models and accounts that they are of, in a value as it was read. */
export function checkReleases(value: unknown): Finding[] {
  const targets = TARGETS.flatMap((pattern) => select(value, pattern));
  return [
    ...targets.flatMap((target) => checkAccount(target, value)),
    ...select(value, 'rollouts.*').flatMap((rollout) => checkMove(rollout, value)),
  ];
}

/** An account that its provider does not have would leave a target with nobody to call. */
function checkAccount({ path, value: target }: Selected, config: unknown): Finding[] {
  if (!isObject(target)) return [];
  const { account, target: name } = target;
  if (typeof account !== 'string' || typeof name !== 'string') return [];
  const provider = name.slice(0, name.indexOf('/'));
  const written = valueAt(config, ['providers', provider, 'accounts']);
  const accounts = Array.isArray(written) ? written.map(accountName) : ['environment'];
  if (accounts.includes(account)) return [];
  const message = `expected an account of the provider '${provider}'`;
  return [{ path: [...path, 'account'], message, found: 'value', candidates: accounts }];
}

function accountName(account: unknown): string {
  return isObject(account) ? String(account['name']) : '';
}

/** What the model does not have nobody can move away from; and what is said twice of it must be the same. */
function checkMove({ path, value: rollout }: Selected, config: unknown): Finding[] {
  if (!isObject(rollout)) return [];
  const { model, stable, candidate } = rollout;
  const targets = typeof model === 'string' ? valueAt(config, ['models', model, 'targets']) : undefined;
  if (!Array.isArray(targets) || !isRelease(stable) || !isRelease(candidate)) return [];
  if (isDeepStrictEqual(stable, candidate))
    return [{ path: [...path, 'candidate'], message: 'is the same as stable' }];
  const own: unknown = targets.find((target) => isAt(target, stable));
  if (own === undefined) {
    // The candidate is in its place: the rollout has ended.
    if (targets.some((target) => isAt(target, candidate))) return [];
    const message = `expected a target of the model '${model}'`;
    const candidates = targets.map((target) => String(nameOf(target)));
    return [{ path: [...path, 'stable'], message, found: 'value', candidates }];
  }
  // What stands where both are is one or the other.
  if (!isObject(stable) || isAt(own, candidate)) return [];
  const ofOwn = isObject(own) ? own : {};
  return Object.keys(stable).flatMap((field) => {
    if (field === 'target' || field === 'weight') return [];
    if (isDeepStrictEqual(stable[field], ofOwn[field])) return [];
    return [{ path: [...path, 'stable', field], message: `is not what the target of '${model}' has` }];
  });
}

/** What is none is seen to elsewhere. */
function isRelease(release: unknown): boolean {
  const name = nameOf(release);
  return typeof name === 'string' && name.includes('/');
}

function isAt(target: unknown, release: unknown): boolean {
  if (nameOf(target) !== nameOf(release)) return false;
  const account = isObject(release) ? release['account'] : undefined;
  return account === undefined || (isObject(target) && target['account'] === account);
}

function nameOf(target: unknown): unknown {
  return isObject(target) ? target['target'] : target;
}
