import { isDeepStrictEqual } from 'node:util';
import type { Config, IssuerConfig } from '../config/resolve.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject } from '../conversation/json.ts';
import { compileModelPermission, type ModelPermission } from '../tenants/permissions.ts';
import {
  refuseToken,
  type TokenContext,
  TokenIssuer,
  type TokenIssuerOptions,
  type VerifiedToken,
} from '../tenants/token-issuer.ts';
import { TokenRing } from '../tenants/token-ring.ts';
import type { Caller } from './snapshot.ts';

type Claims = VerifiedToken['claims'];

/** Issuers by their names, each with what its callers are by its claims. */
export type CompiledIssuers = ReadonlyMap<string, CompiledIssuer>;

interface CompiledIssuer {
  config: IssuerConfig;
  issuer: TokenIssuer;
  /** What it was made from. */
  options: TokenIssuerOptions;
}

/** Issuers that are asked the same of their tokens as before keep their keys, whatever their callers may now. */
export function compileIssuers(
  issuers: Config['issuers'],
  context: TokenContext,
  before: CompiledIssuers | undefined,
): CompiledIssuers {
  const compiled = new Map<string, CompiledIssuer>();
  for (const [name, config] of Object.entries(issuers)) {
    const { issuer, audience, jwksUrl, algorithms, clockTolerance: clockToleranceMs } = config;
    const options = { name, issuer, audience, jwksUrl, algorithms, clockToleranceMs };
    const known = before?.get(name);
    const isSame = known && isDeepStrictEqual(known.options, options);
    compiled.set(name, {
      config,
      issuer: isSame ? known.issuer : new TokenIssuer(options, context),
      options,
    });
  }
  return compiled;
}

/** What all callers of a tenant have in common. */
export type TenantCaller = Omit<Caller, 'key'>;

/** `undefined` where no issuer is configured. Whoever the ring `before` let in need not be verified again. */
export function compileTokens(
  issuers: CompiledIssuers,
  findTenant: (name: string) => TenantCaller | undefined,
  now: () => number,
  before: TokenRing<Caller> | undefined,
): TokenRing<Caller> | undefined {
  if (issuers.size === 0) return undefined;
  const permissions = new Map([...issuers].map(([name, { config }]) => [name, compilePermissions(config)]));
  const callerOf = ({ name }: TokenIssuer, { claims }: VerifiedToken): Caller => {
    const config = issuers.get(name)?.config;
    if (!config) throw new Error(`a token is of the issuer '${name}', which there is not`);
    const tenant = findTenant(tenantOf(config, claims));
    if (!tenant)
      throw new GatewayError('forbidden', 'The access token is of no tenant of this gateway.', {
        code: 'unknown_tenant',
      });
    const { mayCall, mayPrompt } = permissions.get(name)?.(claims) ?? {};
    return {
      ...tenant,
      key: `${name}:${callerNameOf(config, claims)}`,
      mayCall: mayCall ? (model) => tenant.mayCall(model) && mayCall(model) : tenant.mayCall,
      keyMayCall: mayCall,
      mayPrompt: mayPrompt ? (prompt) => tenant.mayPrompt(prompt) && mayPrompt(prompt) : tenant.mayPrompt,
      keyMayPrompt: mayPrompt,
    };
  };
  return new TokenRing(
    [...issuers.values()].map(({ issuer }) => issuer),
    callerOf,
    now,
    before,
  );
}

function tenantOf({ tenant, tenantClaim = '', tenants }: IssuerConfig, claims: Claims): string {
  if (tenant !== undefined) return tenant;
  const value = findClaim(claims, tenantClaim);
  if (typeof value !== 'string' || value === '')
    throw refuseToken(`has no claim '${tenantClaim}' that names a tenant`);
  return tenants ? (tenants[value] ?? '') : value;
}

/** Names stand in records, logs and headers. */
const CALLER_NAME = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

function callerNameOf({ callerClaim }: IssuerConfig, claims: Claims): string {
  const value = findClaim(claims, callerClaim);
  if (typeof value === 'string' && CALLER_NAME.test(value)) return value;
  throw refuseToken(`has no claim '${callerClaim}' with the caller's name in 1 to 128 ASCII characters`);
}

/** What claims let a caller use of what its tenant may. */
interface ByClaims {
  mayCall: ModelPermission;
  /** Absent where no permission is about prompts. */
  mayPrompt: ModelPermission | undefined;
}

/** `undefined` where callers may use whatever their tenant may. */
function compilePermissions({ permissions }: IssuerConfig): ((claims: Claims) => ByClaims) | undefined {
  if (!permissions) return undefined;
  const arePromptsNamed = permissions.some(({ prompts }) => prompts !== undefined);
  const compiled = permissions.map(({ claim, has, models, prompts }) => ({
    ...{ claim, has, mayCall: compileModelPermission(models) },
    mayPrompt: compileModelPermission(prompts ?? []),
  }));
  return (claims) => {
    const met = compiled.filter(({ claim, has }) => wordsOf(findClaim(claims, claim)).includes(has));
    return {
      mayCall: (model) => met.some(({ mayCall }) => mayCall(model)),
      mayPrompt: arePromptsNamed
        ? (prompt: string) => met.some(({ mayPrompt }) => mayPrompt(prompt))
        : undefined,
    };
  };
}

/** `scope` is text with words in it (RFC 8693 4.2), `roles` and `groups` are lists. */
function wordsOf(value: unknown): unknown[] {
  if (typeof value === 'string') return [value, ...value.split(' ')];
  return Array.isArray(value) ? value : [];
}

/** By its name, which may be an address with dots in it; else by the path that the dots make. */
function findClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}
