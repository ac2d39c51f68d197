import type { RunningSubject, Subject } from '../subjects/subject.ts';
import type { SubjectResult } from './results.ts';

/** A subject that could be started, or why it could not. */
export interface Entrant {
  subject: Subject;
  running: RunningSubject | undefined;
  failure: string | undefined;
}

export interface TurnPlan {
  scenario: string;
  /** Rounds that do not count, before those that do. */
  warmUps: number;
  rounds: number;
  onProgress(line: string): void;
}

/**
 * Has every subject take its turn in every round, so that whatever else the machine does meets all of them. A subject
 * that gives a wrong answer is out; the others go on.
 */
export async function takeTurns<Part>(
  entrants: readonly Entrant[],
  plan: TurnPlan,
  measure: (subject: Subject, running: RunningSubject) => Promise<Part>,
): Promise<SubjectResult<Part>[]> {
  const results = entrants.map(({ subject, failure }): SubjectResult<Part> => {
    return { subject: subject.name, rounds: [], failure };
  });
  for (let round = -plan.warmUps; round < plan.rounds; round++) {
    const name = round < 0 ? 'warm-up' : `round ${round + 1}/${plan.rounds}`;
    for (const [index, { subject, running }] of entrants.entries()) {
      const result = results[index];
      if (running === undefined || result === undefined || result.failure !== undefined) continue;
      if (round < -1 && subject.needsNoWarmUp) continue;
      plan.onProgress(`${plan.scenario}  ${name}  ${subject.name}`);
      try {
        const measured = await measure(subject, running);
        if (round >= 0) result.rounds.push(measured);
      } catch (error) {
        result.failure = error instanceof Error ? error.message : String(error);
        result.rounds = [];
      }
    }
  }
  return results;
}
