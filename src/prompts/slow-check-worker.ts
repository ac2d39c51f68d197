import { answerTasks } from '../threads/limited-thread.ts';
import type { CheckTask } from './slow-checks.ts';
import { type Fault, ValueCheck } from './values.ts';

/** The thread that checks what takes long, within the bounds of any check. */
answerTasks(({ schema, value }: CheckTask): Fault[] => new ValueCheck(schema).faultsWithin(value));
