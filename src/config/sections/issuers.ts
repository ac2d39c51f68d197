import { z } from 'zod';
import { duration, exactlyOne, globs, httpUrl, mapping, name, promptGlobs, text } from '../fields.ts';

/** Signatures that only the issuer can make (RFC 7518 3.1, RFC 8037): whoever checks them with a shared secret could make them, too. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const claim = () => text('the name of a claim');

const permissionSchema = z.strictObject({
  claim: claim().describe('The claim, e.g. `scope` or `roles`; a dot goes into it: `realm_access.roles`.'),
  has: text().describe('What stands in it: its value, one of its list, or a word of its text.'),
  models: globs('model').describe('Models that it lets the caller use, of those of its tenant.'),
  prompts: promptGlobs()
    .optional()
    .describe('Prompts, likewise; where no permission names any, all of its tenant.'),
});

const tenantOrClaim = exactlyOne('tenant', 'tenantClaim');

export const issuerSchema = z
  .strictObject({
    issuer: httpUrl().describe('What its tokens have as `iss`, to the letter.'),
    audience: z
      .union([text(), z.array(text()).min(1)], { error: 'an audience or a list of them' })
      .transform((value) => (typeof value === 'string' ? [value] : value))
      .describe('What its tokens for this gateway have as `aud`.'),
    jwksUrl: httpUrl()
      .optional()
      .describe('Where its public keys are; where absent, its OpenID configuration says it.'),
    algorithms: z
      .array(z.enum(TOKEN_ALGORITHMS))
      .min(1)
      .default(() => ['RS256' as const, 'PS256' as const, 'ES256' as const, 'EdDSA' as const])
      .describe('How its tokens may be signed.'),
    clockTolerance: duration().prefault('30s').describe('How far its clock may be off.'),
    tenant: name().optional().describe('The tenant that all its callers are of.'),
    tenantClaim: claim().optional().describe('Instead of `tenant`: the claim that names it.'),
    tenants: mapping(text(), name())
      .optional()
      .describe('What values of `tenantClaim` stand for; where absent, they are the names of tenants.'),
    callerClaim: claim().default('sub').describe('The claim that names the caller in usage records.'),
    permissions: z
      .array(permissionSchema, { error: 'a list of permissions' })
      .optional()
      .describe(
        'What callers may use by their claims, all that fit together; everything of their tenant where absent.',
      ),
  })
  .refine(tenantOrClaim.check, { error: tenantOrClaim.error });

export const issuersSchema = mapping(name(), issuerSchema);
