import type { DialectName } from '../conversation/conversation.ts';
import type { UpstreamFailure } from './dialect.ts';

/** What a refusal says of our account at a provider. `shut`: it may do nothing at all; `permission`: not this; `shortage`: its credit does for smaller calls. */
export type AccountMeaning = 'payment' | 'shut' | 'permission' | 'shortage';

/** A refusal is meant where all that a row names is so. */
interface AccountFailure {
  meaning: AccountMeaning;
  dialects: readonly DialectName[];
  statuses: readonly number[];
  /** The provider's code, or its type. */
  codes?: readonly string[];
  message?: RegExp;
}

const OF_OPENAI: readonly DialectName[] = ['chat', 'responses'];
const OF_GOOGLE: readonly DialectName[] = ['gemini', 'chat'];

/**
 * What providers say in place of a 402, or of a 403 that speaks for itself, when they let our account do nothing (more). Under these
 * statuses other refusals are about what was sent, so codes decide where there are some, and else the provider's whole sentence.
 */
const ACCOUNT_FAILURES: readonly AccountFailure[] = [
  {
    // OpenAI ("Error codes" guide); Moonshot has a word of its own, Alibaba's Model Studio another ("Error codes").
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [400, 403, 429],
    codes: [
      'insufficient_quota',
      'billing_hard_limit_reached',
      'billing_not_active',
      'exceeded_current_quota_error',
      'Arrearage',
    ],
  },
  {
    // Z.AI ("Errors"): a balance that is spent has the status of its limits.
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [429],
    codes: ['1113'],
    message: /\binsufficient balance\b|余额不足/i,
  },
  {
    // xAI says this under both statuses.
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [403, 429],
    message: /\bused all available credits\b|\bdoesn't have any credits\b/i,
  },
  {
    // Moonshot, also where an aggregator repeats it without the code.
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [403, 429],
    message: /\bsuspended due to insufficient balance\b/i,
  },
  {
    // Fireworks: what its account may spend in a month is spent, or a bill is not paid.
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [412],
    message: /^Account \S+ is suspended\b/,
  },
  {
    // OpenRouter sets aside what a call may come to: what is left of its credit is too little for this answer, or for this prompt.
    meaning: 'shortage',
    dialects: OF_OPENAI,
    statuses: [402],
    message: /\bor fewer max_tokens\b.*\bcan only afford [1-9]|^Prompt tokens limit exceeded\b/,
  },
  {
    // OpenRouter: what the key may spend is spent, in all or in its period; 402 is about the account's credit.
    meaning: 'payment',
    dialects: OF_OPENAI,
    statuses: [403],
    message: /^Key limit exceeded\b/,
  },
  {
    // Anthropic: both are an `invalid_request_error` like any other.
    meaning: 'payment',
    dialects: ['messages'],
    statuses: [400],
    codes: ['invalid_request_error'],
    message:
      /^Your credit balance is too low to access\b|^You have reached your specified (?:workspace )?API usage limits\b/,
  },
  {
    // Anthropic (its SDK: "… has reached the spend limit of its contract", "… has crossed the monthly API usage threshold of its API
    // tier"); `ramp_limit_exceeded` is a limit like any other.
    meaning: 'payment',
    dialects: ['messages'],
    statuses: [400, 429],
    codes: ['contract_spend_limit_reached', 'enforced_spend_limit_reached'],
  },
  {
    // Google: prepaid credits that are spent have the status of its limits.
    meaning: 'payment',
    dialects: OF_GOOGLE,
    statuses: [429],
    message: /\bprepayment credits are depleted\b/i,
  },
  {
    // Google: a limit of nothing is no limit that a wait would end. The model is not had in the account's plan, or not had any more.
    meaning: 'permission',
    dialects: OF_GOOGLE,
    statuses: [429],
    message: /\bQuota exceeded for metric: \S+, limit: 0\b(?!\.)/,
  },
  {
    meaning: 'shut',
    dialects: OF_OPENAI,
    statuses: [400, 401, 403],
    codes: ['account_deactivated', 'organization_restricted'],
  },
  {
    meaning: 'shut',
    dialects: ['messages'],
    statuses: [400, 403],
    message: /^This organization has been disabled\b/,
  },
  {
    // Anthropic (its SDK): the organisation is on hold, the workspace's own encryption key cannot be used.
    meaning: 'shut',
    dialects: ['messages'],
    statuses: [400],
    codes: ['organization_on_hold', 'cmek_key_disabled', 'cmek_key_network_blocked'],
  },
  {
    // Google: where the gateway stands, not what was sent.
    meaning: 'shut',
    dialects: OF_GOOGLE,
    statuses: [400],
    message: /^User location is not supported\b|\bfree tier is not available in your country\b/,
  },
];

/**
 * What a refusal says of our account, where its status does not say it. Without a status, as inside a stream, its code or its sentence
 * says it alone.
 */
export function accountMeaning(
  dialect: DialectName,
  status: number | undefined,
  { code, type, message }: UpstreamFailure,
): AccountMeaning | undefined {
  return ACCOUNT_FAILURES.find(
    (row) =>
      (status === undefined || row.statuses.includes(status)) &&
      row.dialects.includes(dialect) &&
      (row.codes === undefined || row.codes.some((word) => word === code || word === type)) &&
      (row.message === undefined || row.message.test(message)),
  )?.meaning;
}
