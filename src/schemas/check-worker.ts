import { answerTasks } from '../threads/limited-thread.ts';
import { fitsStructure, type Structure } from './check-structure.ts';

/** The thread that holds texts against schemas: `null` where one cannot be judged by. */
answerTasks((structures: readonly Structure[]): Verdict[] => structures.map(judge));

type Verdict = boolean | null;

function judge(structure: Structure): Verdict {
  try {
    return fitsStructure(structure);
  } catch {
    // A reference that leads nowhere, or round in a circle until the stack is full, or a pattern that is none.
    return null;
  }
}
