import { direct } from './direct.ts';
import { fairlead } from './fairlead.ts';
import { fairleadFew, fairleadMany } from './fairlead-many.ts';
import { fairleadPrompt, fairleadPrompts } from './fairlead-prompt.ts';
import { fairleadOneWorker, fairleadTwoWorkers } from './fairlead-workers.ts';
import { nginx } from './nginx.ts';
import type { Subject } from './subject.ts';

/** In the order in which they take turns and stand in the tables. */
export const SUBJECTS: readonly Subject[] = [
  direct,
  nginx,
  fairlead,
  fairleadFew,
  fairleadMany,
  fairleadPrompt,
  fairleadPrompts,
  fairleadOneWorker,
  fairleadTwoWorkers,
];
