import { bifrost } from './bifrost.ts';
import { direct } from './direct.ts';
import { fairlead } from './fairlead.ts';
import { fairleadFew, fairleadMany } from './fairlead-many.ts';
import { fairleadPrompt, fairleadPrompts } from './fairlead-prompt.ts';
import { fairleadRedis } from './fairlead-redis.ts';
import { fairleadOneWorker, fairleadTwoWorkers } from './fairlead-workers.ts';
import { litellm } from './litellm.ts';
import { nginx } from './nginx.ts';
import { portkey } from './portkey.ts';
import type { Subject } from './subject.ts';

/** In the order in which they take turns and stand in the tables. */
export const SUBJECTS: readonly Subject[] = [
  direct,
  nginx,
  fairlead,
  fairleadRedis,
  portkey,
  litellm,
  bifrost,
  fairleadFew,
  fairleadMany,
  fairleadPrompt,
  fairleadPrompts,
  fairleadOneWorker,
  fairleadTwoWorkers,
];
