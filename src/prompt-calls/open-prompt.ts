import { dayOf } from '../config/days.ts';
import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { adviseAccess } from '../gateway/advise-access.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { PromptFileError } from '../prompts/problem.ts';
import type { Found, PromptBook } from '../prompts/prompt-book.ts';
import { PRODUCTION, type PromptRecord, readReference, stateOf } from '../prompts/versions.ts';

/** How many versions an error names, the newest. */
const MOST_NAMED = 10;

type Retired = Extract<Found, { state: 'retired' }>;

/**
 * What a caller's `NAME` or `NAME@VERSION` leads to. Who may call a prompt may call each of its versions, its draft, too. A prompt that
 * the caller may not call is not there for it, so the answer tells nothing about what others have.
 *
 * @throws GatewayError `not_found`
 */
export async function openPrompt(
  prompts: Pick<PromptBook, 'open' | 'record'>,
  caller: Pick<Caller, 'mayPrompt' | 'keyMayPrompt' | 'keyMayCall'>,
  reference: string,
): Promise<Found> {
  const { name, version } = readReference(reference);
  const isAllowed = caller.mayPrompt(name);
  const found = isAllowed ? await open(prompts, reference) : undefined;
  if (found) return found;
  const record = isAllowed ? prompts.record(name) : undefined;
  if (record) throw versionNotFound(record, version);
  const advice = isAllowed ? '' : ` ${adviseAccess(caller, PROMPT_PREFIX + name)}`;
  throw new GatewayError(
    'not_found',
    `The prompt '${reference}' does not exist or this key may not call it. GET /v1/prompts lists those of your key.${advice}`,
    { code: 'prompt_not_found' },
  );
}

/** It may have none in production: what a name alone means is taken away, or was never there. */
function versionNotFound(record: PromptRecord, version = PRODUCTION): GatewayError {
  const { name, versions, labels } = record;
  const nowMs = Date.now();
  const numbers = versions.filter((one) => stateOf(one, nowMs) !== 'retired').map(({ number }) => number);
  const pointing = [...labels.values()].filter(({ number }) => numbers.includes(number));
  const names = [...pointing.map(({ label }) => label), ...numbers.toReversed().map(String)].slice(
    0,
    MOST_NAMED,
  );
  const callable = names.map((one) => (one === PRODUCTION ? name : `${name}@${one}`)).join(', ');
  const advice = callable === '' ? '' : ` There is ${callable}.`;
  const message =
    version === PRODUCTION
      ? `The prompt '${name}' has no version in production: name one.${advice}`
      : `The prompt '${name}' has no version or label '${version}'.${advice}`;
  return new GatewayError('not_found', message, { code: 'prompt_version_not_found' });
}

async function open(
  prompts: Pick<PromptBook, 'open' | 'record'>,
  reference: string,
): Promise<Found | undefined> {
  try {
    return await prompts.open(reference);
  } catch (cause) {
    if (!(cause instanceof PromptFileError)) throw cause;
    const message = `The prompt '${reference}' cannot be used by this version of the gateway.`;
    throw new GatewayError('internal', message, { code: 'prompt_broken', cause });
  }
}

export function retiredPrompt({ version, successor }: Retired): GatewayError {
  const { name, number, stateAt, retiresAt } = version;
  const advice = successor === undefined ? '' : ` Call '${successor}' instead.`;
  const message = `The prompt '${name}@${number}' was retired on ${dayOf(retiresAt ?? stateAt)}.${advice}`;
  return new GatewayError('not_found', message, {
    ...{ status: 410, code: 'prompt_retired' },
    ...(successor !== undefined && { details: { successor } }),
  });
}
