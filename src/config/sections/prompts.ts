import { z } from 'zod';
import { modelName, text } from '../fields.ts';

export const promptsSchema = z.strictObject({
  directory: text('the path of a directory')
    .optional()
    .describe('Where the *.prompt files are, from where the config file is; the examples where absent.'),
  model: modelName().optional().describe('The model of prompts that name none.'),
});
