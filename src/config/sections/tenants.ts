import { z } from 'zod';
import {
  date,
  duration,
  exactlyOne,
  expression,
  globs,
  keySecret,
  mapping,
  modelOrPromptGlob,
  name,
  promptGlobs,
  secretHash,
  text,
} from '../fields.ts';
import { limitsSchema } from './limits.ts';

const secretOrHash = exactlyOne('secret', 'secretHash');
const secretFields = {
  secret: keySecret().optional().describe('What the client sends; best a placeholder.'),
  secretHash: secretHash().optional().describe('Instead of the secret its SHA-256, in hex.'),
  expires: date().optional().describe('From this day (UTC) or moment on the key is refused.'),
};

const previousSchema = z.strictObject({
  secretHash: secretHash().describe('SHA-256 of the secret before, in hex.'),
  until: date().describe('From then on it is refused.'),
});

export const keySchema = z
  .strictObject({
    name: name().describe('Names the key in usage records; unique in its tenant.'),
    ...secretFields,
    previous: previousSchema
      .optional()
      .describe('While a key is rotated: the secret before, which is still valid for a while.'),
    models: globs('model').optional().describe('Models that this key may use, of those of its tenant.'),
    prompts: promptGlobs().optional().describe('Prompts that this key may use, of those of its tenant.'),
    limits: limitsSchema.optional().describe('Limits of this key.'),
  })
  .refine(secretOrHash.check, { error: secretOrHash.error });

export const grantSchema = z.strictObject({
  model: modelOrPromptGlob().describe(
    'What may be called: a model, provider/model, a prompt as prompt/NAME, or a pattern of these.',
  ),
  until: date().optional().describe('From this day (UTC) or moment on it is refused again.'),
  request: text('the id of an access request')
    .optional()
    .describe('The access request that was approved by it.'),
});

/** What an admin key may do, the least first; each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'owner'] as const;
export type Role = (typeof ROLES)[number];

export const adminKeySchema = z
  .strictObject({
    role: z
      .enum(ROLES)
      .describe('viewer reads; operator changes tenants, keys and models; owner everything.'),
    ...secretFields,
    previous: previousSchema.optional().describe('While a key is rotated: the secret before.'),
  })
  .refine(secretOrHash.check, { error: secretOrHash.error });

export const adminKeysSchema = mapping(name(), adminKeySchema);

export const tenantSchema = z.strictObject({
  models: globs('model').describe(
    'Models that the tenant may use: names, provider/model, or patterns; "*" for all.',
  ),
  prompts: promptGlobs().optional().describe('Prompts that the tenant may use: names or patterns.'),
  regions: globs('region')
    .optional()
    .describe('Regions that may serve the tenant: names or patterns such as "eu-*"; anywhere where absent.'),
  limits: limitsSchema.optional().describe('Limits of all keys of the tenant together.'),
  modelLimits: mapping(text('a model name or pattern'), limitsSchema)
    .optional()
    .describe('Limits of the tenant on single models, by name or pattern.'),
  promptLimits: mapping(text('a prompt name or pattern'), limitsSchema)
    .optional()
    .describe('Limits of the tenant on single prompts, by name or pattern.'),
  priority: z
    .enum(['high', 'normal', 'low'])
    .default('normal')
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
  grants: z
    .array(grantSchema, { error: 'a list of grants' })
    .optional()
    .describe(
      'Approvals: what the tenant may call beside its models and prompts, and of the models that need an approval.',
    ),
  keys: z
    .array(keySchema, { error: 'a list of keys' })
    .default(() => [])
    .describe('Keys of the tenant.'),
});

export const tenantsSchema = mapping(name(), tenantSchema);
