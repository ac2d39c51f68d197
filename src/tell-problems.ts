import type { ControlNews } from './control/control-news.ts';
import { type Progress, weightOf } from './rollouts/progress.ts';
import type { Rollout } from './rollouts/rollout-book.ts';
import type { StoredRollout } from './rollouts/rollout-store.ts';
import type { LaneChange } from './routing/lane.ts';
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
  );
}

/** A breaker that opens, and one that closes. That an open one is probed, and stays open, is no news. */
export function tellBreaker(
  news: ControlNews,
  { target, provider, account, state, before }: LaneChange,
): void {
  const details = { provider, account, ...(target !== undefined && { target }) };
  if (state === 'open' && before === 'closed') {
    news.tell('warning', 'breaker_opened', 'a place where too many attempts fail is left alone', details);
  } else if (state === 'closed') {
    news.tell('info', 'breaker_closed', 'a place that was left alone answers again', details);
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
  news.tellOften('warning', 'overloaded', message, { model: model ?? null, calls });
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

/** A rollout stands elsewhere: by whom or by what gate, and on what evidence. */
export function tellTransition(
  news: ControlNews,
  { spec }: Rollout,
  from: Progress,
  { progress, reason, evidence }: StoredRollout,
): void {
  const { phase, step } = progress;
  const { failure, by } = reason ?? {};
  const why = failure
    ? `: its candidate is worse by its ${failure.what}`
    : by === undefined
      ? ''
      : `, by ${by}`;
  const weight = weightOf(spec.plan, progress);
  news.tell(
    failure ? 'alarm' : 'info',
    `rollout_${phase}`,
    `The rollout '${spec.name}' is ${phase.replace('_', ' ')} (${weight} %)${why}.`,
    {
      ...{ rollout: spec.name, model: spec.model, from: from.phase, phase, step: step + 1, weight },
      candidateCalls: evidence.candidates,
      ...(failure && { failure: { ...failure } }),
      ...(by !== undefined && { by }),
    },
  );
}
