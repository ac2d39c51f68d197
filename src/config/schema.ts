import { z } from 'zod';
import { mapping, targetPattern, timeout } from './fields.ts';
import { alertsSchema } from './sections/alerts.ts';
import { issuersSchema } from './sections/issuers.ts';
import { lifecycleSchema } from './sections/lifecycle.ts';
import { modelsSchema } from './sections/models.ts';
import { promptsSchema } from './sections/prompts.ts';
import { priceSchema, providersSchema } from './sections/providers.ts';
import { responsesSchema } from './sections/responses.ts';
import { rolloutsSchema } from './sections/rollouts.ts';
import { loggingSchema, serverSchema, stateSchema, storeSchema } from './sections/server.ts';
import { adminKeysSchema, tenantsSchema } from './sections/tenants.ts';
import { webhooksSchema } from './sections/webhooks.ts';

/**
 * The whole config language. Strict: an unknown key is an error.
 */
export const configSchema = z.strictObject({
  server: serverSchema.prefault({}).describe('Where and how the gateway listens.'),
  store: storeSchema
    .optional()
    .describe('Database: sqlite:PATH or postgres://…; fairlead.db in the data directory where absent.'),
  state: stateSchema.prefault('memory').describe('Counters: memory or redis://… (shared between instances).'),
  stateTimeout: timeout()
    .prefault('50ms')
    .describe('How long a call waits for shared counters; then they are taken to be away.'),
  onStateLoss: z
    .enum(['local', 'deny'])
    .default('local')
    .describe(
      'When the shared counters are away: count in this process alone, or deny calls that have limits.',
    ),
  providers: providersSchema.prefault({}).describe('Upstream services by name.'),
  models: modelsSchema.prefault({}).describe('Public model names and the targets behind them.'),
  prices: mapping(targetPattern(), priceSchema)
    .prefault({})
    .describe('Dollars per million tokens, by target or pattern; goes before the built-in price list.'),
  tenants: tenantsSchema.prefault({}).describe('Who may call, and how much.'),
  issuers: issuersSchema
    .prefault({})
    .describe(
      'Who else says who calls: OpenID issuers whose access tokens (JWT) are taken in place of keys.',
    ),
  adminKeys: adminKeysSchema.prefault({}).describe('Who may use the admin API, beside FAIRLEAD_ADMIN_KEY.'),
  webhooks: webhooksSchema.prefault({}).describe('Who is sent events, signed, by name.'),
  alerts: alertsSchema
    .prefault({})
    .describe('When events say that too much fails, takes too long or costs too much, by name.'),
  rollouts: rolloutsSchema.optional().describe('Guarded moves of a name to another release.'),
  lifecycle: lifecycleSchema
    .prefault({})
    .describe('What is done ahead of the day on which a provider takes a model away.'),
  prompts: promptsSchema.optional().describe('Prompt files that are published as endpoints.'),
  responses: responsesSchema
    .prefault({})
    .describe('Responses that clients of the Responses API go on from (`previous_response_id`).'),
  logging: loggingSchema.prefault({}).describe('What the gateway logs.'),
});

/** A config file as the schema gives it: units read, defaults applied, nothing resolved yet. */
export type ParsedConfig = z.output<typeof configSchema>;
