import { z } from 'zod';
import { count, duration, exactlyOne, globs, mapping, name, positive, ratio } from '../fields.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const threshold = exactlyOne('errorRate', 'p95Latency', 'p95FirstToken', 'spendUsd');

export const alertSchema = z
  .strictObject({
    errorRate: ratio()
      .refine((share) => share > 0, { error: 'a share above 0' })
      .optional()
      .describe(
        'Raised when as large a share of calls fails, without those that the caller is to blame for.',
      ),
    p95Latency: duration()
      .refine((ms) => ms > 0, { error: 'more than 0s' })
      .optional()
      .describe('Raised when one call in twenty takes as long, or longer.'),
    p95FirstToken: duration()
      .refine((ms) => ms > 0, { error: 'more than 0s' })
      .optional()
      .describe('Raised when one streamed call in twenty waits as long for its first output, or longer.'),
    spendUsd: positive().optional().describe('Raised when calls have cost as much, in US dollars.'),
    over: duration()
      .refine((ms) => ms >= MINUTE_MS && ms <= DAY_MS, { error: 'from 1m to 24h' })
      .prefault('5m')
      .describe('The time that is looked back over, from 1m to 24h.'),
    minCalls: count(1)
      .default(20)
      .describe('With fewer calls in that time it is not raised; spendUsd does not ask for any.'),
    models: globs('model').optional().describe('Calls of these models alone, by name or pattern.'),
    tenants: globs('tenant').optional().describe('Calls of these tenants alone, by name or pattern.'),
    clearBelow: ratio()
      .default(0.8)
      .describe('It is cleared when the value is below this share of the threshold …'),
    clearAfter: duration().prefault('5m').describe('… for so long without a break.'),
    severity: z.enum(['warning', 'alarm']).default('alarm').describe('Of the event that it is raised by.'),
  })
  .refine(threshold.check, { error: threshold.error });

export const alertsSchema = mapping(name(), alertSchema);
