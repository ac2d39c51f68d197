import { z } from 'zod';
import { date, duration, expression, globs, keySecret, mapping, name, text } from '../fields.ts';
import { limitsSchema } from './limits.ts';

const keySchema = z.strictObject({
  name: name().describe('Names the key in usage records; unique in its tenant.'),
  secret: keySecret().describe('What the client sends; best a placeholder.'),
  models: globs('model').optional().describe('Models that this key may use, of those of its tenant.'),
  prompts: globs('prompt').optional().describe('Prompts that this key may use, of those of its tenant.'),
  limits: limitsSchema.optional().describe('Limits of this key.'),
  expires: date().optional().describe('From this day (UTC) or moment on the key is refused.'),
});

export const tenantSchema = z.strictObject({
  models: globs('model').describe(
    'Models that the tenant may use: names, provider/model, or patterns; "*" for all.',
  ),
  prompts: globs('prompt').optional().describe('Prompts that the tenant may use: names or patterns.'),
  limits: limitsSchema.optional().describe('Limits of all keys of the tenant together.'),
  modelLimits: mapping(text('a model name or pattern'), limitsSchema)
    .optional()
    .describe('Limits of the tenant on single models, by name or pattern.'),
  priority: z
    .enum(['high', 'normal', 'low'])
    .optional()
    .describe('Who waits when the gateway is full: low yields to normal, normal to high.'),
  capture: z
    .strictObject({
      mode: z
        .enum(['full', 'metadata'])
        .describe('Keep prompts and answers, or only what is in usage records.'),
      retention: duration()
        .refine((ms) => ms > 0, { error: 'more than 0s' })
        .prefault('30d')
        .describe('How long they are kept.'),
      redact: z
        .array(expression(), { error: 'a list of regular expressions' })
        .default(() => [])
        .describe('Regular expressions: what they match is blanked out before anything is kept.'),
    })
    .optional()
    .describe('Whether prompts and answers are kept.'),
  keys: z
    .array(keySchema, { error: 'a list of keys' })
    .default(() => [])
    .describe('Keys of the tenant.'),
});

export const tenantsSchema = mapping(name(), tenantSchema);
