import { z } from 'zod';
import { glob, hidden, httpUrl, mapping, name } from '../fields.ts';

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** What the Standard Webhooks specification asks for ("Signature scheme"). */
const [LEAST_BYTES, MOST_BYTES] = [24, 64];

function isSecret(text: string): boolean {
  const { length } = Buffer.from(SECRET.exec(text)?.[1] ?? '', 'base64');
  return length >= LEAST_BYTES && length <= MOST_BYTES;
}

function webhookSecret() {
  const expected = 'whsec_ and 24 to 64 random bytes in base64 (echo "whsec_$(openssl rand -base64 32)")';
  return hidden(z.string({ error: expected }).refine(isSecret, { error: expected }), 'credential');
}

/** Severities of events, the least first. */
export const SEVERITIES = ['info', 'warning', 'alarm'] as const;

export const webhookSchema = z.strictObject({
  url: httpUrl().describe(
    'Where events are sent to, by POST. It is shown to whoever reads the configuration.',
  ),
  secret: webhookSecret().describe('What deliveries are signed with: whsec_…; best a placeholder.'),
  previousSecret: webhookSecret()
    .optional()
    .describe('While a secret is replaced: the one before, by which deliveries are signed, too.'),
  events: z
    .array(glob('kind of event'), { error: 'a list of kinds of events, or patterns' })
    .min(1, { error: 'a list of at least one kind of event' })
    .default(() => ['*'])
    .describe('Kinds of events, or patterns: alert_*, credential_rejected; all where absent.'),
  severity: z.enum(SEVERITIES).default('info').describe('The least severity of events that are sent.'),
});

export const webhooksSchema = mapping(name(), webhookSchema);
