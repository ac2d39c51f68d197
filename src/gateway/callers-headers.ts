import type { Target } from '../routing/target.ts';
import { BETA_HEADER, keepBetas } from '../upstream/betas.ts';
import type { Surface } from '../upstream/provider.ts';
import type { Call } from './call.ts';
import type { PlannedAttempt } from './plan.ts';
import { heldNotFound } from './refuse-held.ts';

/** What a header that a caller sends beside its body is to a provider that speaks the body's dialect. */
interface Meaning {
  /** A list, which goes beside a configured one. */
  isList?: true;
  /** Only for providers that declare to know it. */
  isDeclared?: true;
  /** It names what the operator's account has. */
  isHeld?: true;
  /** It chooses among what the operator's credential may act for, which is the operator's choice: it never goes on. */
  isAccounts?: true;
  /** It turns nothing on: nobody misses it where it means nothing. */
  isUnnamed?: true;
}

/** Sources: API references and official SDKs of Anthropic and OpenAI. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'anthropic-version': { isUnnamed: true },
  'anthropic-beta': { isList: true },
  // The customer and the workspace that a call is made, and may be billed, for.
  'anthropic-user-profile-id': { isDeclared: true, isHeld: true },
  'anthropic-workspace-id': { isDeclared: true, isHeld: true },
  'openai-beta': { isList: true, isDeclared: true },
  // Official SDKs send them where the environment has `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`.
  'openai-organization': { isAccounts: true },
  'openai-project': { isAccounts: true },
};

/**
 * The headers of an account, names and values in turns, with those of the caller that go with its body. What means nothing there is added to
 * `dropped`.
 *
 * @param goesAsItCame text completions are in the provider's dialect, but mostly in a form that says nothing to it
 * @throws GatewayError `not_found` for what is not the caller's to choose
 */
export function withCallersHeaders(
  call: Call,
  { target, account }: PlannedAttempt,
  surface: Surface,
  dropped: string[],
  goesAsItCame = call.door.completesText !== true,
): string[] {
  const { forward, door } = call;
  if (!forward) return account.headers;
  const isSpoken = surface.dialect === door.dialect.name && goesAsItCame;
  const known = target.upstream.declaration.callersHeaders;
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(forward)) {
    const { isDeclared, isHeld, isAccounts, isUnnamed } = MEANINGS[name] ?? {};
    if (isAccounts) {
      if (!hasHeader(account.headers, name, value)) dropped.push(name);
    } else if (!isSpoken || (isDeclared && !known?.includes(name))) {
      const isInBody = name === BETA_HEADER && betasInBody(call, target, surface) !== undefined;
      if (!isUnnamed && !isInBody) dropped.push(name);
    } else if (isHeld && !call.caller.mayCall(target.upstream.allModels)) {
      throw heldNotFound(call, { kind: 'shared', id: `${value} (${name})`, path: name });
    } else kept[name] = value;
  }
  return mergeHeaders(account.headers, surface.betas ? keepBetas(kept, surface, dropped) : kept);
}

/** The flags of `anthropic-beta` that may go with a caller's words in the body, where they do. */
export function betasInBody(
  { door }: Call,
  { model }: Target,
  surface: Surface,
): readonly string[] | undefined {
  return door.dialect.name === 'messages' ? surface.betasInBody?.(model) : undefined;
}

function hasHeader(headers: readonly string[], name: string, value: string): boolean {
  return headers.some(
    (header, at) => at % 2 === 0 && header.toLowerCase() === name && headers[at + 1] === value,
  );
}

/** What goes with a question about an answer: what its provider declares to know. */
export function declaredHeaders(
  forward: Call['forward'],
  { upstream }: Target,
): Readonly<Record<string, string>> {
  const known = upstream.declaration.callersHeaders ?? [];
  return Object.fromEntries(Object.entries(forward ?? {}).filter(([name]) => known.includes(name)));
}

/** The caller's own headers instead of ours, or, where they are lists, beside them. */
export function mergeHeaders(headers: string[], kept: Readonly<Record<string, string>>): string[] {
  const own = { ...kept };
  const result: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]];
    const key = name.toLowerCase();
    const forwarded = own[key];
    delete own[key];
    if (forwarded === undefined) result.push(name, value);
    else result.push(name, MEANINGS[key]?.isList ? `${value},${forwarded}` : forwarded);
  }
  return [...result, ...Object.entries(own).flat()];
}
