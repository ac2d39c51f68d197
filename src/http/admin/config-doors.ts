import { z } from 'zod';
import { configJsonSchema } from '../../config/json-schema.ts';
import { refuseUnaware } from '../../control/behind.ts';
import { type Change, diffEntries } from '../../control/change.ts';
import { joinDocument } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import { hideSealed } from '../../control/marks.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { type AdminDoor, type AdminRequest, door } from './admin-door.ts';
import { tellConfigError } from './parse.ts';
import { readDocumentEntries } from './plan-entries.ts';
import { describeChange } from './revision-doors.ts';

const OWNERS = ['api', 'file', 'all'] as const;

/** How many changes an answer lists; `changeCount` says how many there are. */
const MOST_LISTED = 1_000;

export const CONFIG_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/config',
    // The hashes of keys are in it.
    role: 'owner',
    summary: 'The configuration as a document, without secrets: what PUT takes',
    query: z.strictObject({
      owner: z
        .enum(OWNERS, { error: `give one of ${OWNERS.join(', ')}` })
        .default('api')
        .describe('Whose part of it: of the admin API, of the config file, or both.'),
    }),
    handle: async ({ parts, query: { owner } }) => {
      const { layers, revision } = parts.control;
      const entries = (['file', 'api'] as const)
        .filter((candidate) => owner === 'all' || owner === candidate)
        .flatMap((candidate) => layers.ofOwner(candidate));
      return { body: hideSealed(joinDocument(entries)), revision };
    },
  }),
  door({
    method: 'PUT',
    path: '/config',
    role: 'owner',
    summary: "Replaces the admin API's whole part of the configuration",
    query: z.strictObject({
      dryRun: z
        .enum(['true', 'false'], { error: 'give true or false' })
        .default('false')
        .describe('Checks and tells what would change, and changes nothing.'),
    }),
    body: z.record(z.string(), z.unknown(), { error: 'a mapping' }),
    needsBody: true,
    bodySchema: configJsonSchema,
    handle: replaceConfig,
  }),
];

async function replaceConfig(request: AdminRequest<{ dryRun: 'true' | 'false' }, Record<string, unknown>>) {
  const { parts, author, query } = request;
  const plan = (layers: Layers): Change[] => {
    // What was parsed from JSON is JSON.
    const wanted = readDocumentEntries(request.body as JsonObject, request, layers);
    const changes = diffEntries('api', layers.ofOwner('api'), wanted);
    refuseUnaware(changes, parts.control.behind, parts.control.layers);
    return changes;
  };
  try {
    const isDry = query.dryRun === 'true';
    const { revision, changes } = isDry
      ? await parts.control.tryChange(plan)
      : await parts.control.change({ name: author, source: 'api' }, plan);
    return {
      body: {
        revision,
        changeCount: changes.length,
        changes: changes.slice(0, MOST_LISTED).map(describeChange),
      },
      revision,
    };
  } catch (error) {
    throw tellConfigError(error);
  }
}
