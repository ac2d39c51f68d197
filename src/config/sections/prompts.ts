import { z } from 'zod';
import { mapping, modelName, text } from '../fields.ts';
import { limitsSchema } from './limits.ts';

export const promptsSchema = z.strictObject({
  directory: text('the path of a directory')
    .optional()
    .describe('Where the *.prompt files are, from where the config file is; the examples where absent.'),
  publish: z
    .enum(['auto', 'manual'], { error: 'auto or manual' })
    .optional()
    .describe(
      'Whether what a file says anew is in service at once, or a draft until it is published; auto where absent.',
    ),
  limits: mapping(text('the name of a prompt'), limitsSchema)
    .optional()
    .describe('Limits of single prompts, by name: of all tenants together.'),
  model: modelName().optional().describe('The model of prompts that name none.'),
});
