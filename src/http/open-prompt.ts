import { GatewayError } from '../conversation/gateway-error.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { dayOf } from '../lifecycle/days.ts';
import { PromptFileError } from '../prompts/problem.ts';
import type { Found, PromptBook } from '../prompts/prompt-book.ts';
import { readReference } from '../prompts/versions.ts';

type Retired = Extract<Found, { state: 'retired' }>;

/**
 * What a caller's `NAME` or `NAME@VERSION` leads to. Who may call a prompt may call each of its versions, its draft, too. A prompt that
 * the caller may not call is not there for it, so the answer tells nothing about what others have.
 *
 * @throws GatewayError `not_found`
 */
export async function openPrompt(
  prompts: Pick<PromptBook, 'open'>,
  caller: Pick<Caller, 'mayPrompt'>,
  reference: string,
): Promise<Found> {
  const { name, version } = readReference(reference);
  const found = caller.mayPrompt(name) ? await open(prompts, reference) : undefined;
  if (found) return found;
  if (version !== undefined && caller.mayPrompt(name) && (await open(prompts, name)))
    throw new GatewayError(
      'not_found',
      `The prompt '${name}' has no version or label '${version}'. GET /v1/prompts/${name} lists them.`,
      { code: 'prompt_version_not_found' },
    );
  throw new GatewayError(
    'not_found',
    `The prompt '${reference}' does not exist or this key may not call it. GET /v1/prompts lists those of your key.`,
    { code: 'prompt_not_found' },
  );
}

async function open(prompts: Pick<PromptBook, 'open'>, reference: string): Promise<Found | undefined> {
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
