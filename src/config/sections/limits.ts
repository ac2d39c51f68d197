import { z } from 'zod';
import { count, exactlyOne, positive } from '../fields.ts';

const amount = exactlyOne('usd', 'tokens');
const budgetSchema = z
  .strictObject({
    usd: positive().optional().describe('US dollars.'),
    tokens: count(1).optional().describe('Tokens of any kind.'),
    per: z.enum(['hour', 'day', 'month', 'total']).describe('The period, in UTC; `total` never resets.'),
  })
  .refine(amount.check, { error: amount.error });

export const limitsSchema = z.strictObject({
  requestsPerMinute: count(1).optional().describe('Calls in any 60 seconds.'),
  tokensPerMinute: count(1).optional().describe('Tokens in any 60 seconds, input and output together.'),
  concurrentCalls: count(1).optional().describe('Calls that run at once.'),
  budgets: z
    .array(budgetSchema, { error: 'a list of budgets' })
    .optional()
    .describe('Money or tokens per period.'),
});
