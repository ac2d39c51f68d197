import type { ControlNews } from './control/control-news.ts';
import type { JsonObject } from './conversation/json.ts';
import { fileOfPartial } from './prompts/prompt-directory.ts';
import type { BrokenPrompt } from './prompts/prompt-files.ts';
import type { ApprovalNews } from './rollouts/controller.ts';
import { type Progress, weightOf } from './rollouts/progress.ts';
import { describeRelease } from './rollouts/release.ts';
import { evidenceAt, type RolloutReport } from './rollouts/report.ts';
import type { Rollout } from './rollouts/rollout-book.ts';
import type { StoredRollout } from './rollouts/rollout-store.ts';
import type { CreditChange, LaneChange, ShutChange } from './routing/lane-book.ts';
import type { JournalProblem } from './usage/journal.ts';
import type { LedgerProblem } from './usage/ledger.ts';
import type { Recovery, RecoveryFailure } from './usage/recover.ts';

/** How the problems of the ledger and its journal are told. Those without a message are for the log alone. */
const MESSAGES: Partial<Record<(LedgerProblem | JournalProblem)['kind'], string>> = {
  memory_full: 'usage records wait for the store in the journal alone: there is no room for them in memory',
  records_left: 'usage records stay in the journal until the next start',
  record_lost: 'a usage record is in no place but the log of its instance',
  record_refused: 'the store refuses a usage record, which is in no place but the log of its instance',
  journal_failed: 'the journal cannot be written: a kill would cost usage records',
};

/** What of a problem may stand in an event: of a record its call, of an error its message. */
export function tellLedgerProblem(news: ControlNews, problem: LedgerProblem | JournalProblem): void {
  const logged = describeProblem(problem);
  const message = MESSAGES[problem.kind];
  if (message === undefined) {
    news.log.error(logged, `usage ledger: ${problem.kind}`);
    return;
  }
  news.tellOften(
    'alarm',
    problem.kind,
    message,
    {
      ...('record' in problem && { call: problem.record.id, tenant: problem.record.tenant }),
      ...('reason' in problem && { reason: problem.reason }),
      ...('error' in problem && { reason: reasonOf(problem.error) }),
      ...('pendingRecords' in problem && { pendingRecords: problem.pendingRecords }),
    },
    logged,
  );
}

export function tellBrokenPrompt(news: ControlNews, { path, error }: BrokenPrompt): void {
  const what = path.endsWith('/') ? 'folder' : 'file';
  const stays = path.endsWith('/') ? 'what was in it stays' : 'its prompt stays';
  const message = `the prompt ${what} '${path}' cannot be used, ${stays} as it was: ${error.message}`;
  const { line = null, partial } = error;
  const details = { path, line, ...(partial !== undefined && { partial: fileOfPartial(partial) }) };
  news.tell('warning', 'prompt_broken', message, details);
}

export function tellUnreadablePrompts(news: ControlNews, directory: string, error: unknown): void {
  const message = `the prompt files in '${directory}' cannot be read: the prompts stay as they were`;
  news.tell('warning', 'prompts_unreadable', message, { reason: reasonOf(error) });
}

export function tellRecovery(news: ControlNews, { failures: _, ...recovery }: Recovery): void {
  const fields = { event: 'journal_recovered', ...recovery };
  if (recovery.damagedLines === 0) {
    news.log.warn(fields, 'a process was killed: its calls were taken over from its journal');
    return;
  }
  news.tell('alarm', 'journal_damaged', 'the journal of a killed process is damaged', { ...recovery });
}

export function tellRecoveryFailure(news: ControlNews, { owner, error }: RecoveryFailure): void {
  news.tellOften(
    'alarm',
    'journal_recovery_failed',
    'what a killed process left could not be taken over; it is tried again',
    { owner, reason: reasonOf(error) },
    { owner, err: error },
    String(owner),
  );
}

/** How each change of a breaker is told. */
const BREAKER_NEWS = {
  opened: ['warning', 'a place where too many attempts fail is left alone'],
  half_open: ['info', 'a place that is left alone is probed by one call'],
  reopened: ['info', 'a place that was probed goes on being left alone'],
  closed: ['info', 'a place that was left alone answers again'],
} as const;

/** Each change of a breaker: of one that flaps once a minute, and of those that callers have named one for all. */
export function tellBreaker(
  news: ControlNews,
  { target, provider, account, state, before, isNamed }: LaneChange,
): void {
  const details = { provider, account, ...(target !== undefined && { target }) };
  const what =
    state === 'closed'
      ? 'closed'
      : state === 'half-open'
        ? 'half_open'
        : before === 'closed'
          ? 'opened'
          : 'reopened';
  const [severity, message] = BREAKER_NEWS[what];
  const of = isNamed ? '' : `${provider}\n${account}\n${target ?? ''}`;
  news.tellOften(severity, `breaker_${what}`, message, details, details, of);
}

/** An account that its provider lets do nothing more until it is paid. */
export function tellCredit(news: ControlNews, { provider, account, isSpent }: CreditChange): void {
  const details = { provider, account };
  if (isSpent) {
    const message = 'an account is out of credit at its provider: calls go to others first';
    news.tellOften('alarm', 'credit_spent', message, details, details, `${provider}\n${account}`);
  } else {
    const message = 'an account that was out of credit is served again';
    news.tellOften('info', 'credit_restored', message, details, details, `${provider}\n${account}`);
  }
}

/** An account that its provider lets do nothing any more. */
export function tellShut(news: ControlNews, { provider, account, isShut }: ShutChange): void {
  const details = { provider, account };
  const of = `${provider}\n${account}`;
  if (isShut) {
    const message = 'a provider has shut an account: calls go to others first';
    news.tellOften('alarm', 'account_shut', message, details, details, of);
  } else {
    const message = 'an account that its provider had shut is served again';
    news.tellOften('info', 'account_reopened', message, details, details, of);
  }
}

/** Of many refusals one line: the calls themselves have their records. */
export function tellOverload(
  news: ControlNews,
  { model, calls }: { model: string | undefined; calls: number },
): void {
  const message =
    model === undefined
      ? 'calls are refused: more run and wait than server.overload allows'
      : `calls of the model '${model}' are refused: more run and wait than its overload allows`;
  const details = { model: model ?? null, calls };
  news.tellCounted('warning', 'overloaded', message, details, model);
}

/** pino writes an error out only where it is called `err`. */
export function describeProblem(problem: object): object {
  if (!('error' in problem)) return problem;
  const { error: err, ...rest } = problem;
  return { ...rest, err };
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A rollout stands elsewhere: by whom or by what gate, and on what evidence.
 *
 * @param from where it stood; `undefined` where whoever moved it may have told it, or been killed before
 */
export function tellTransition(
  news: ControlNews,
  { spec }: Rollout,
  from: Progress | undefined,
  { progress, reason, candidates, origin }: StoredRollout,
  report: RolloutReport | undefined,
): void {
  const { phase, step, since } = progress;
  const { failure, by, approvedBy } = reason ?? {};
  const why = failure
    ? `: its candidate is worse by its ${failure.what}`
    : by === undefined
      ? ''
      : `, by ${by}`;
  const weight = weightOf(spec.plan, progress);
  // Where it was left is not known any more: a step follows the one before it.
  const left = from?.step ?? (phase === 'stepping' ? step - 1 : step);
  const told = {
    severity: failure ? ('alarm' as const) : ('info' as const),
    kind: `rollout_${phase}`,
    message: `The rollout '${spec.name}' is ${phase.replace('_', ' ')} (${weight} %)${why}.`,
    details: {
      ...{ rollout: spec.name, ...spec.moves, ...(from && { from: from.phase }), phase },
      ...{ step: step + 1, weight, candidateCalls: candidates },
      ...(failure && { failure: { ...failure } }),
      ...(by !== undefined && { by }),
      ...(approvedBy !== undefined && { approvedBy }),
      ...(origin && { stable: describeRelease(origin.stable), candidate: describeRelease(origin.candidate) }),
      ...(report && { evidence: evidenceAt(report, left) as unknown as JsonObject }),
    },
  };
  news.tellOnce(`rollout:${spec.name}:${phase}:${step}:${since}`, told, from !== undefined);
}

/** Tells of a rollout that stands still for want of calls: the users who are to have its candidate may be none, or hardly call. */
export function tellShortOfCalls(
  news: ControlNews,
  { spec: { name: rollout, moves, plan } }: Rollout,
  { progress, candidates }: StoredRollout,
): void {
  const step = progress.step + 1;
  const weight = weightOf(plan, progress);
  const calls = candidates - progress.callsBefore;
  const hint = calls === 0 ? ' Perhaps no user or key that calls falls under this weight.' : '';
  news.tell(
    'warning',
    'rollout_short_of_calls',
    `The rollout '${rollout}' stays at ${weight} %: its candidate has had ${calls} of the ${plan.minCalls} calls that the step needs.${hint}`,
    { rollout, ...moves, step, weight, candidateCalls: calls, minCalls: plan.minCalls },
  );
}

/** Tells of a rollout that stands still because the candidate's errors may be those of few users. */
export function tellShortOfUsers(
  news: ControlNews,
  { spec: { name: rollout, moves, plan } }: Rollout,
  { progress, candidates }: StoredRollout,
  { why }: RolloutReport,
): void {
  const step = progress.step + 1;
  const weight = weightOf(plan, progress);
  news.tell(
    'warning',
    'rollout_short_of_users',
    `The rollout '${rollout}' stays at ${weight} %: its candidate may be worse (${why}). It goes on when further calls show otherwise; or look at the errors, and promote it or roll it back.`,
    { rollout, ...moves, step, weight, candidateCalls: candidates, why },
  );
}

/** What waits for a second person, and what that one said. */
export function tellApproval(
  news: ControlNews,
  { spec }: Rollout,
  { what, request, by }: ApprovalNews,
): void {
  const { name: rollout, moves } = spec;
  const { wants, by: askedBy } = request;
  const said = {
    requested: `The rollout '${rollout}' waits for somebody else to approve that it is to ${wants}, as ${askedBy} wants.`,
    approved: `That the rollout '${rollout}' is to ${wants}, as ${askedBy} wants, was approved by ${by}.`,
    rejected: `That the rollout '${rollout}' is to ${wants}, as ${askedBy} wants, was rejected by ${by}.`,
  };
  const kind = what === 'requested' ? 'rollout_approval_requested' : `rollout_${what}`;
  const details = { rollout, ...moves, wants, askedBy, ...(by !== undefined && { by }) };
  news.tell(what === 'requested' ? 'warning' : 'info', kind, said[what], details);
}
