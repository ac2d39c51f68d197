import { z } from 'zod';
import {
  cloudName,
  count,
  date,
  duration,
  mapping,
  modelName,
  name,
  positive,
  ratio,
  targetName,
} from '../fields.ts';
import { limitsSchema } from './limits.ts';
import { timeoutsSchema } from './providers.ts';
import { modelOverloadSchema } from './server.ts';

function numberWithin(least: number, most: number) {
  const error = `a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

/** Of a target: what `dialects/default-parameters.ts` puts in where the caller does not say it. */
const defaultsSchema = z.strictObject({
  maxOutputTokens: count(1).optional().describe('The most tokens of an answer.'),
  temperature: numberWithin(0, 2).optional().describe('Temperature of the sampling.'),
  topP: numberWithin(0, 1).optional().describe('Nucleus sampling.'),
  topK: count(1).optional().describe('Samples from so many tokens.'),
  frequencyPenalty: numberWithin(-2, 2).optional().describe('Against tokens that came often.'),
  presencePenalty: numberWithin(-2, 2).optional().describe('Against tokens that came.'),
  seed: z.int({ error: 'a whole number' }).optional().describe('For answers that can be repeated.'),
});

const TARGET = 'a target, "provider/model-version", or a mapping with `target`';

export const targetMapping = z.strictObject({
  target: targetName().describe('What is called: provider/model-version.'),
  account: name()
    .optional()
    .describe('The one account of the provider that is called; any of them where absent.'),
  weight: positive()
    .optional()
    .describe('Share of the calls under the strategy `weighted`, relative to the others.'),
  timeouts: timeoutsSchema
    .optional()
    .describe('Timeouts of attempts at this target; `total` of the call that is at it.'),
  capabilities: z
    .strictObject({
      vision: z.boolean().optional().describe('Takes images.'),
      tools: z.boolean().optional().describe('Calls tools.'),
      structuredOutput: z.boolean().optional().describe('Answers by a JSON schema.'),
      contextLength: count(1).optional().describe('Tokens of input and output together.'),
    })
    .optional()
    .describe(
      'What the target can do, where it is not known or otherwise: calls that need more go elsewhere.',
    ),
  region: cloudName('a region such as eu or global')
    .optional()
    .describe('Where it is served, where that is not where its account is.'),
  parameters: defaultsSchema
    .optional()
    .describe('Defaults: what calls to this target are told where the caller does not say it.'),
  retires: z
    .union([date(), z.literal('never')], { error: 'a date such as 2027-01-31, or never' })
    .optional()
    .describe('When its provider takes it away, where that is not known or otherwise.'),
  successor: targetName().optional().describe('The target to move to then.'),
});

type TargetMapping = z.output<typeof targetMapping>;

/** A target as text or as a mapping; always a mapping with its two halves when read. */
export const targetSchema = z
  .union([targetName().transform((target): TargetMapping => ({ target })), targetMapping], { error: TARGET })
  .transform((written) => {
    // The first slash divides: model versions of aggregators hold slashes themselves.
    const slash = written.target.indexOf('/');
    return { ...written, provider: written.target.slice(0, slash), model: written.target.slice(slash + 1) };
  });

const targetsSchema = z
  .array(targetSchema, { error: 'a list of targets' })
  .min(1, { error: 'at least one target' });

export const APPROVALS = ['none', 'required'] as const;

export const modelSchema = z.strictObject({
  targets: targetsSchema.describe('What serves the model, in order.'),
  strategy: z
    .enum(['failover', 'weighted', 'fastest', 'cheapest'])
    .default('failover')
    .describe('How a target is chosen: in order, by weight, by time to first token, or by price.'),
  retries: count(0, 10).optional().describe('Further attempts after the first one failed.'),
  waitForRecovery: duration()
    .optional()
    .describe(
      'How long a call waits for a target to be back where all of them are down. Not at all where absent.',
    ),
  timeouts: timeoutsSchema
    .optional()
    .describe('Timeouts of every attempt, and in `total` of the whole call.'),
  fallbacks: z
    .strictObject({
      contextLength: targetsSchema.optional().describe('Tried where the input is too long for the others.'),
      contentPolicy: targetsSchema.optional().describe("Tried where a provider's content policy refused."),
    })
    .optional()
    .describe('Targets for refusals that a retry does not mend.'),
  hedging: z
    .strictObject({
      percentile: count(1, 99)
        .default(95)
        .describe('A second attempt starts when the first token takes longer than in so many of 100 calls.'),
      maxShare: ratio().default(0.1).describe('Largest share of calls with a second attempt.'),
    })
    .optional()
    .describe('A second attempt for slow calls; the first answer wins.'),
  continueStreams: z
    .boolean()
    .optional()
    .describe('Have a stream that breaks off in its text gone on with, by providers that document that.'),
  overload: modelOverloadSchema.optional().describe('Bounds for this model.'),
  limits: limitsSchema.optional().describe('Limits of all callers of this model together.'),
  approval: z
    .enum(APPROVALS)
    .optional()
    .describe('required: a tenant needs a grant to call it, whatever its models say.'),
  deprecated: date().optional().describe('The day after which the model is retired.'),
  successor: modelName().optional().describe('The model to move to.'),
  onRetired: z
    .enum(['successor', 'gone'])
    .optional()
    .describe('After that day: route to the successor, or answer 410.'),
});

export const modelsSchema = mapping(modelName(), modelSchema);
