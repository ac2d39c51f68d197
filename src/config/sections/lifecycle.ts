import { z } from 'zod';
import { duration } from '../fields.ts';
import { gatesSchema, onFailSchema, stepsSchema } from './rollouts.ts';

/** What is done ahead of the day on which a provider takes a model away. */
export const lifecycleSchema = z.strictObject({
  draftRollouts: z
    .boolean({ error: 'true or false' })
    .default(false)
    .describe('Draft a rollout to the successor for each model that stands on such a target.'),
  ahead: duration().prefault('30d').describe('How long before that day.'),
  startRollouts: z
    .boolean({ error: 'true or false' })
    .default(false)
    .describe('Start the drafted rollouts; else somebody does.'),
  rollout: z
    .strictObject({
      steps: stepsSchema,
      gates: gatesSchema.optional().describe('What the candidate must keep to.'),
      onFail: onFailSchema,
    })
    .optional()
    .describe('What drafted rollouts say of their steps and gates.'),
});
