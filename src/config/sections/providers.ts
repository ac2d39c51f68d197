import { z } from 'zod';
import {
  cloudName,
  count,
  credential,
  deploymentName,
  exactlyOne,
  headers,
  headerText,
  httpUrl,
  mapping,
  name,
  ratio,
  serviceAccount,
  text,
  tierName,
  timeout,
} from '../fields.ts';
import { discoverySchema, healthSchema } from './servers.ts';

/** Where nothing is written, `resolve.ts` fills in: target before model before provider before the defaults. */
export const timeoutsSchema = z.strictObject({
  connect: timeout().optional().describe('To open the connection.'),
  firstByte: timeout().optional().describe('From the request to the first byte of the answer.'),
  idle: timeout().optional().describe('Between two pieces of the answer.'),
  total: timeout()
    .optional()
    .describe(
      'For the whole call, from its arrival to its last byte: its wait for a place, all attempts and the pauses between them.',
    ),
});

/** Where and as what a cloud is called. Which provider takes which of these, its declaration says. */
const cloudSettings = {
  region: cloudName('a region such as us-east-1')
    .optional()
    .describe('Where calls are served, for tenants with `regions`. AWS: the region that is called.'),
  location: cloudName('a location such as europe-west4 or global')
    .optional()
    .describe('Google Cloud: the location that is called, and its region; global where absent.'),
  apiVersion: cloudName('an api-version such as 2024-10-21 or preview')
    .optional()
    .describe('Azure: the api-version; a dated one is for the classic surface, none for /openai/v1.'),
  deployments: mapping(text('the name of a model'), deploymentName())
    .optional()
    .describe('Azure: deployments by model, where their names differ.'),
};

const awsSchema = z.strictObject({
  accessKeyId: credential().describe('Id of the access key.'),
  secretAccessKey: credential().describe('The access key; best a placeholder.'),
  sessionToken: credential().optional().describe('Session token of temporary credentials.'),
});

const googleCredentials = exactlyOne('serviceAccount', 'file');
const googleSchema = z
  .strictObject({
    serviceAccount: serviceAccount()
      .optional()
      .describe("A service account's key file: its JSON as a mapping, or as text."),
    file: text('the path of a file')
      .optional()
      .describe('A file with credentials of any kind that Google has.'),
  })
  .refine(googleCredentials.check, { error: googleCredentials.error });

const entraSchema = z.strictObject({
  tenantId: cloudName('the id or domain of a tenant').describe('The tenant (directory) of the application.'),
  clientId: credential().describe('The application (client) id.'),
  clientSecret: credential().describe('A client secret; best a placeholder.'),
});

/** Ways to say who one is; an account has at most one. */
const CREDENTIALS = ['apiKey', 'apiKeyFile', 'aws', 'google', 'entra'] as const;

/** Whether an account, read or not yet read, says who it is. */
export function hasCredentials(
  account: { readonly [key in (typeof CREDENTIALS)[number]]?: unknown },
): boolean {
  return CREDENTIALS.some((key) => account[key] !== undefined);
}

const oneCredential = {
  apiKey: credential().optional().describe('The credential; best a placeholder.'),
  apiKeyFile: text('the path of a file').optional().describe('A file that holds the credential.'),
  aws: awsSchema.optional().describe('AWS credentials, with which each request is signed.'),
  google: googleSchema
    .optional()
    .describe('Google credentials; application default credentials where absent.'),
  entra: entraSchema.optional().describe('An application in Microsoft Entra ID, instead of a key.'),
};

const next = exactlyOne('apiKey', 'apiKeyFile', 'aws', 'google', 'entra');
/** A credential that is to replace its account's. */
export const nextSchema = z
  .strictObject({
    ...oneCredential,
    share: ratio()
      .refine((share) => share > 0, { error: 'a share above 0' })
      .default(0.1)
      .describe("Share of the account's calls, from 0 to 1."),
    proveAfter: count(1)
      .default(20)
      .describe('Calls that go well, at one instance, before it replaces the credential of the account.'),
  })
  .refine(next.check, { error: next.error });

const accountSchema = z
  .strictObject({
    name: name().describe('Names the account in usage records and logs.'),
    ...oneCredential,
    next: nextSchema
      .optional()
      .describe(
        'A new credential that is to replace the other: it gets a share of the calls until it is proven.',
      ),
    weight: z
      .number({ error: 'a number of 0 or more' })
      .gte(0, { error: 'a number of 0 or more' })
      .optional()
      .describe(
        "Share of the provider's traffic, relative to its other accounts; with 0 it only stands in for them.",
      ),
    organization: headerText()
      .optional()
      .describe('Organisation that is billed, where the provider has such.'),
    project: headerText()
      .optional()
      .describe('Project that is billed or called, where the provider has such.'),
    ...cloudSettings,
    headers: headers().optional().describe('Headers sent with every request of this account.'),
  })
  .refine((account) => CREDENTIALS.filter((key) => account[key] !== undefined).length <= 1, {
    error: `one of ${CREDENTIALS.join(', ')}, not several`,
  });

export const providerSchema = z.strictObject({
  adapter: name()
    .optional()
    .describe(
      'Kind of provider: a built-in one or openai-compatible. The name of the provider where absent.',
    ),
  baseUrl: httpUrl()
    .optional()
    .describe(
      "What the vendor's own SDK takes as its base URL: with /v1 for OpenAI and its kin, without a version for Anthropic and Gemini.",
    ),
  project: text().optional().describe('Google Cloud: the project that is called.'),
  ...cloudSettings,
  accounts: z
    .array(accountSchema, { error: 'a list of accounts' })
    .min(1, { error: 'at least one account' })
    .optional()
    .describe('Credentials at the provider. Where absent, the key in the environment is used.'),
  headers: headers().optional().describe('Headers sent with every request to the provider.'),
  timeouts: timeoutsSchema
    .optional()
    .describe('Timeouts of every attempt at the provider; `total` of the call that is at it.'),
  health: healthSchema.optional().describe('How it is told whether the provider is well.'),
  discovery: discoverySchema.optional().describe('Addresses of servers that come and go.'),
});

export const providersSchema = mapping(name(), providerSchema);

const dollars = z.number({ error: 'dollars, 0 or more' }).min(0, { error: 'dollars, 0 or more' });

/** Keyed as the buckets of a usage record; dollars per million tokens. */
const tokenPrices = {
  input: dollars.optional().describe('Input that was neither cached nor audio.'),
  inputAudio: dollars.optional().describe('Audio input.'),
  cacheRead: dollars.optional().describe('Input read from the cache.'),
  cacheWrite: dollars.optional().describe('Input written to the cache.'),
  cacheWrite1h: dollars.optional().describe('Input written to the cache for one hour.'),
  output: dollars.optional().describe('Output that was neither reasoning nor audio.'),
  outputAudio: dollars.optional().describe('Audio output.'),
  reasoning: dollars.optional().describe('Reasoning; as output where absent.'),
};

const hasEntries = (price: object) => Object.keys(price).length > 0;

/** What has a price for one of the two alone costs `null` as soon as it has the other, and no budget in money counts it. */
const BOTH = { error: 'input and output beside each other, 0 for what costs nothing' };
const hasBoth = ({ input, output }: { input?: number | undefined; output?: number | undefined }) =>
  input !== undefined && output !== undefined;
const hasTiersAlone = (price: object) => Object.keys(price).join() === 'tiers';

const TIER_PRICE = 'a multiple of the price, 0 or more, or prices';
const tierPriceSchema = z.union(
  [
    z.number({ error: TIER_PRICE }).min(0, { error: TIER_PRICE }),
    z
      .strictObject(tokenPrices)
      .refine(hasEntries, { error: 'at least one price' })
      .refine((price) => !hasEntries(price) || hasBoth(price), BOTH),
  ],
  { error: TIER_PRICE },
);

export const priceSchema = z
  .strictObject({
    ...tokenPrices,
    tiers: mapping(tierName(), tierPriceSchema)
      .optional()
      .describe(
        'What it costs in tiers (priority, flex, fast, us, …): how many times its price, or prices of their own. Alone, the price is the published one.',
      ),
  })
  .refine(hasEntries, { error: 'at least one price' })
  .refine((price) => !hasEntries(price) || hasTiersAlone(price) || hasBoth(price), BOTH);
