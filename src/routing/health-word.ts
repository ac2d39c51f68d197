import { z } from 'zod';
import { NAMED_FOR, type NamedFor } from './limit.ts';

/** So many characters of a name are told: those of targets come from callers. */
const LONGEST_NAME = 300;

const LONGEST_MARK = 64;

/** No message is longer, though every character of its names is escaped. */
export const LONGEST_MESSAGE = 4_096;

/** No provider names a longer time in earnest: one is told as this. */
export const LONGEST_TOLD_MS = 31 * 24 * 3_600_000;

const name = z.string().min(1).max(LONGEST_NAME);

/**
 * What instances tell each other of a place: that too many attempts fail there (`open`), that a probe went well (`closed`), that the
 * provider wants it to be left alone (`cooling`), that its account is out of credit (`spent`) or was answered again (`paid`). Fields that are not known are passed over, so that versions can stand side by side.
 */
const WORD = z.discriminatedUnion('scope', [
  z.object({
    scope: z.literal('lane'),
    what: z.enum(['open', 'closed', 'cooling']),
    /** The target. */
    name,
    account: name,
    /** What the time was named for, of one that cools; where nothing is said, for its limit. */
    namedFor: z.enum(NAMED_FOR).optional().catch(undefined),
  }),
  z.object({
    scope: z.literal('account'),
    what: z.enum(['open', 'closed']),
    /** The provider. */
    name,
    account: name,
  }),
  z.object({
    scope: z.literal('credit'),
    what: z.enum(['spent', 'paid']),
    /** The provider. */
    name,
    account: name,
    /** Of the credential (`Account.mark`). */
    mark: z.string().min(1).max(LONGEST_MARK),
  }),
]);

/** For how long from now on: clocks of instances differ. An open place may be probed afterwards. */
const FOR_MS = z.number().int().min(0).max(LONGEST_TOLD_MS);

const MESSAGE = z.intersection(WORD, z.object({ by: z.string().max(64), forMs: FOR_MS }));

/** Which place, and what of it. */
export type Claim = z.infer<typeof WORD>;
export type Word = Claim & { forMs: number };
export type CreditWord = Extract<Word, { scope: 'credit' }>;
export type Message = Word & { by: string };

/** What the time was named for, of a place that cools. */
export function namedForOf({ namedFor }: { namedFor?: NamedFor | undefined }): NamedFor {
  return namedFor ?? 'limited';
}

/** Whether it is one that others read. */
export function isTellable(claim: Claim): boolean {
  return WORD.safeParse(claim).success;
}

/** `undefined`: it is none. */
export function readMessage(text: string): Message | undefined {
  if (text.length > LONGEST_MESSAGE) return undefined;
  return MESSAGE.safeParse(parseJson(text)).data;
}

/** What stands in the Redis, and how many milliseconds are left of it. */
export function readKept(text: string, forMs: number): Word | undefined {
  if (text.length > LONGEST_MESSAGE) return undefined;
  const claim = WORD.safeParse(parseJson(text)).data;
  const left = FOR_MS.safeParse(forMs).data;
  return claim && left !== undefined ? { ...claim, forMs: left } : undefined;
}

/** The same place and what of it are always the same text. */
export function writeClaim(claim: Claim): string {
  const { scope, what, name, account } = claim;
  return JSON.stringify({ scope, what, name, account, ...detailOf(claim) });
}

function detailOf(claim: Claim): object {
  if (claim.scope === 'credit') return { mark: claim.mark };
  return claim.scope === 'lane' && claim.namedFor === 'failing' ? { namedFor: claim.namedFor } : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
