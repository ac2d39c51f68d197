import { z } from 'zod';
import { duration } from '../fields.ts';

/** What becomes of responses whose provider does not keep them itself, as OpenAI does. */
export const responsesSchema = z.strictObject({
  store: z
    .boolean({ error: 'true or false' })
    .default(true)
    .describe('Whether responses are kept where the client does not forbid it (`store: false`).'),
  retention: duration()
    .prefault('30d')
    .describe('How long a response is kept, and how long it is known which provider keeps one.'),
});
