import { z } from 'zod';
import { expectation, explainIssues } from '../config/explain.ts';
import type { Finding } from '../config/finding.ts';
import { ConfigError } from '../config/problem.ts';
import { findRepeatedNames } from '../config/references.ts';
import type { Environment } from '../config/substitute.ts';
import type { JsonObject } from '../conversation/json.ts';
import { LIST_KINDS, MAPPED_KINDS, TENANT_LISTS } from './entry.ts';
import { describeUnplaced } from './unplaced.ts';

const named = (error: string) => z.string({ error });
const form = z.looseObject({
  ...Object.fromEntries(MAPPED_KINDS.map((kind) => [kind, z.record(z.string(), z.unknown()).optional()])),
  tenants: z
    .record(
      z.string(),
      z.looseObject({
        keys: z.array(z.looseObject({ name: named('a name') }), { error: 'a list of keys' }).optional(),
        grants: z
          .array(z.looseObject({ model: named('the name of a model, or a pattern') }), {
            error: 'a list of grants',
          })
          .optional(),
      } satisfies Record<(typeof LIST_KINDS)[number], z.ZodType>),
    )
    .optional(),
});

/**
 * Refuses a document that cannot be taken apart into entries without something of it being lost: what is in another form
 * would be no entry at all, and what was there before would be taken for deleted. What entries hold is checked where
 * the configuration is built.
 *
 * @throws ConfigError with the paths of all that is of another form
 */
export function refuseOtherForm(document: JsonObject, owner: string, env: Environment): void {
  const parsed = form.safeParse(document, { error: expectation });
  const findings: Finding[] = parsed.success
    ? LIST_KINDS.flatMap((kind) => findRepeatedNames(document, `tenants.*.${kind}`, TENANT_LISTS[kind]))
    : explainIssues(parsed.error.issues, document);
  if (findings.length === 0) return;
  throw new ConfigError(
    describeUnplaced(findings, { value: document, written: document, env, ownerOf: () => owner }),
  );
}
