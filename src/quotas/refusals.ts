import { GatewayError } from '../conversation/gateway-error.ts';
import { isShared, LIMIT_KINDS, type Limit, NANO_USD, type Scope } from './limit.ts';
import type { Refusal } from './reservation.ts';

/** A call that ends makes room; when that will be, nobody knows. */
const SLOT_RETRY_MS = 1_000;
/** The same of what it holds of a budget. */
const UNDER_WAY_RETRY_MS = 1_000;
/** The SDK of OpenAI takes a longer wait for none and tries again at once. A call that comes a little early is told the rest. */
const LONGEST_RATE_WAIT_MS = 60_000;

/**
 * The error that a caller is told of a limit: a rate comes back by itself, a budget must be waited for or raised.
 *
 * @param least what the call takes at the least. `amount` may be a bound that a count of its text would lower, and only what can
 *   never fit is refused for good.
 */
export function describeRefusal(refusal: Refusal, least = refusal.amount): GatewayError {
  switch (LIMIT_KINDS[refusal.limit.kind].counts) {
    case 'window':
      return describeRate(refusal, least);
    case 'slots':
      return describeSlots(refusal.limit);
    case 'budget':
      return describeBudget(refusal, least);
  }
}

function describeRate({ limit, amount, waitMs }: Refusal, least: number): GatewayError {
  const { kind, scope, max } = limit;
  const measure = kind === 'tokens' ? kind : undefined;
  const what = `${nameOwner(scope)} has a limit of ${max} ${kind} per minute`;
  if (least > max) {
    return new GatewayError(
      'rate_limited',
      `The request is too large: ${what}, and this call may use ${amount}. Send less, or a smaller limit of output tokens.`,
      { code: 'rate_limit_exceeded', retryable: false, measure },
    );
  }
  const exactMs = Math.max(waitMs ?? 0, 1);
  const seconds = Math.ceil(exactMs / 1000);
  return new GatewayError('rate_limited', `Rate limit reached: ${what}. Try again in ${seconds} s.`, {
    code: 'rate_limit_exceeded',
    retryAfterMs: Math.min(exactMs, LONGEST_RATE_WAIT_MS),
    measure,
  });
}

function describeSlots({ scope, max }: Limit): GatewayError {
  return new GatewayError(
    'rate_limited',
    `Too many calls at once: ${nameOwner(scope)} may have ${max} under way. Try again when one of them has ended.`,
    { code: 'concurrent_calls_exceeded', retryAfterMs: SLOT_RETRY_MS },
  );
}

function describeBudget(refusal: Refusal, least: number): GatewayError {
  const { limit, amount, available, waitMs } = refusal;
  const { scope, max, period } = limit;
  const per = period === 'total' ? 'in total' : `per ${period}`;
  const budget = `The budget of ${nameAmount(limit, max)} ${per} of ${nameOwner(scope)}`;
  // What is left of a budget that tenants share would tell of the others.
  const isTold = !isShared(scope) && available > 0;
  const state = isTold
    ? `has ${nameAmount(limit, available)} left, beside what calls under way may use, and this call may use ${nameAmount(limit, amount)}`
    : 'does not allow this call';
  const helps = whatHelps(refusal, least);
  if (mayComeBack(refusal, least)) {
    return new GatewayError('budget_exceeded', `${budget} ${state}. ${helps}`, {
      code: 'insufficient_quota',
      retryable: true,
      retryAfterMs: UNDER_WAY_RETRY_MS,
    });
  }
  const returnMs = least > max ? undefined : waitMs;
  return new GatewayError('budget_exceeded', `${budget} ${state}. ${helps}`, {
    code: 'insufficient_quota',
    retryable: false,
    ...(returnMs !== undefined && { retryAfterMs: returnMs }),
  });
}

/** Calls under way use mostly less than they hold: as long as they could leave room for the call, nothing is final. */
function mayComeBack({ available, underWay }: Refusal, least: number): boolean {
  return underWay > 0 && Math.max(least, 1) <= available + underWay;
}

function whatHelps(refusal: Refusal, least: number): string {
  const { limit, waitMs, atMs } = refusal;
  if (least > limit.max)
    return 'It is smaller than the call: send less, or a smaller limit of output tokens.';
  if (mayComeBack(refusal, least)) return 'Try again when calls under way have ended: they may use less.';
  if (waitMs === undefined) return 'It does not reset: ask your operator to raise it.';
  return `It resets at ${new Date(atMs + waitMs).toISOString()}.`;
}

function nameAmount({ kind }: Limit, amount: number): string {
  if (kind !== 'usdBudget') return `${amount} tokens`;
  return `$${Number((amount / NANO_USD).toPrecision(4))}`;
}

/** Callers know who they are; nobody is told of others. */
function nameOwner(scope: Scope): string {
  switch (scope.kind) {
    case 'tenant':
      return `the tenant '${scope.tenant}'`;
    case 'key':
      return `the key '${scope.key}'`;
    case 'tenant_model':
      return `the tenant '${scope.tenant}' on '${scope.models}'`;
    case 'model':
      return `the model '${scope.model}'`;
    case 'tenant_prompt':
      return `the tenant '${scope.tenant}' on the prompts '${scope.prompts}'`;
    case 'prompt':
      return `the prompt '${scope.prompt}'`;
  }
}
