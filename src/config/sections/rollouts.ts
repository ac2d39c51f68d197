import { z } from 'zod';
import {
  count,
  duration,
  exactlyOne,
  mapping,
  modelName,
  name,
  pattern,
  positive,
  ratio,
  targetName,
  text,
} from '../fields.ts';
import { targetMapping } from './models.ts';

/** A release: of a model its target, with or without parameters; of a prompt its version or label. */
const releaseSchema = z.union([text(), count(1), targetMapping], {
  error: 'a target, a mapping with `target`, or the version of a prompt',
});

const cohortSchema = z.strictObject({
  tenants: z.array(name()).optional().describe('Tenants by name.'),
  keys: z.array(text('TENANT/KEY')).optional().describe('Keys as TENANT/KEY.'),
  users: z
    .array(text())
    .optional()
    .describe('End users, as the client names them in `user` or `safety_identifier`.'),
  header: mapping(text('a header name'), text()).optional().describe('Request headers and their values.'),
  metadata: mapping(text(), text()).optional().describe("Entries of the request's metadata."),
  percentage: z
    .number({ error: 'a number from 0 to 100' })
    .min(0, { error: 'a number from 0 to 100' })
    .max(100, { error: 'a number from 0 to 100' })
    .optional()
    .describe('Share of all sticky keys that always get the candidate.'),
});

const stepSchema = z.strictObject({
  weight: z
    .number({ error: 'a percentage above 0, at most 100' })
    .gt(0, { error: 'a percentage above 0, at most 100' })
    .max(100, { error: 'a percentage above 0, at most 100' })
    .describe('Percentage of users on the candidate.'),
  hold: duration().describe('Least time on this step.'),
});

export const stepsSchema = z
  .array(stepSchema, { error: 'a list of steps' })
  .min(1, { error: 'at least one step' })
  .refine(isRising, { error: 'steps with rising weights' })
  .optional()
  .describe('The way from stable to candidate.');

export const onFailSchema = z
  .enum(['rollback', 'pause'])
  .optional()
  .describe('What happens when a gate fails.');

export const gatesSchema = z.strictObject({
  minCalls: count(1).optional().describe('Calls of the candidate before a gate decides.'),
  errorRate: ratio().optional().describe('Largest share of failed calls.'),
  timeoutRate: ratio().optional().describe('Largest share of calls that timed out.'),
  p50LatencyRatio: positive().optional().describe('Largest median latency, relative to stable.'),
  p95LatencyRatio: positive().optional().describe('Largest 95th percentile of latency, relative to stable.'),
  p50FirstTokenRatio: positive()
    .optional()
    .describe('Largest median time to first token, relative to stable.'),
  p95FirstTokenRatio: positive().optional().describe('Largest 95th percentile of it, relative to stable.'),
  costRatio: positive().optional().describe('Largest cost per call, relative to stable.'),
  outputTokensRatio: positive().optional().describe('Most output tokens per call, relative to stable.'),
  refusalRate: ratio().optional().describe('Largest share of refusals.'),
  lengthRate: ratio().optional().describe('Largest share of answers cut at the token limit.'),
  contentFilterRate: ratio().optional().describe('Largest share of answers stopped by a content filter.'),
  invalidOutputRate: ratio()
    .optional()
    .describe("Largest share of answers in JSON that break the call's own schema."),
  invalidToolCallRate: ratio()
    .optional()
    .describe("Largest share of answers with tool calls that break the tool's schema."),
  minFeedbackScore: ratio().optional().describe('Least mean of the scores that were posted as feedback.'),
  judge: z
    .strictObject({
      model: z
        .union([modelName(), targetName()], { error: 'a model, or a target "provider/model-version"' })
        .optional()
        .describe('The model that scores pairs of answers; that of the prompt where absent.'),
      prompt: text('the name of a prompt')
        .optional()
        .describe(
          'A prompt of yours that it is asked by, NAME or NAME@VERSION; one of the gateway where absent.',
        ),
      share: ratio().optional().describe('Share of pairs that are scored.'),
      minScore: ratio().optional().describe('Least mean score, from 0 to 1.'),
    })
    .refine(({ model, prompt }) => model !== undefined || prompt !== undefined, {
      error: 'a model, or a prompt that names one',
    })
    .optional()
    .describe('A model that scores what both sides answered to the same request.'),
});

const moved = exactlyOne('model', 'prompt');

const rolloutSchema = z
  .strictObject({
    model: modelName().optional().describe('The model that moves.'),
    prompt: text('the name of a prompt').optional().describe('The prompt that moves.'),
    label: pattern(/^[a-z][a-z0-9_-]{0,63}$/, 'a label of a prompt, such as production')
      .optional()
      .describe('Its label that moves; production where absent.'),
    stable: releaseSchema.describe('Where it stands.'),
    candidate: releaseSchema.describe('Where it is to go.'),
    cohort: cohortSchema.optional().describe('Who always gets the candidate: any of these.'),
    steps: stepsSchema,
    shadow: z
      .strictObject({
        share: ratio().describe('Share of calls that are copied to the candidate.'),
        maxConcurrentCalls: count(1).optional().describe('Copies that may run at once in an instance.'),
        hold: duration().optional().describe('Least time of copies alone, before the first step.'),
      })
      .optional()
      .describe('Copies for comparison, which no client sees.'),
    gates: gatesSchema.optional().describe('What the candidate must keep to.'),
    onFail: onFailSchema,
    approval: z
      .enum(['none', 'start', 'promote', 'required'])
      .optional()
      .describe('What a second person must agree to: its start, its promotion, or both (required).'),
  })
  .refine(moved.check, { error: moved.error })
  .refine(({ prompt, label }) => prompt !== undefined || label === undefined, {
    error: 'a label only beside a prompt',
  });

function isRising(steps: { weight: number }[]): boolean {
  return steps.every((step, index) => index === 0 || step.weight > (steps[index - 1]?.weight ?? 0));
}

export const rolloutsSchema = mapping(name(), rolloutSchema);
