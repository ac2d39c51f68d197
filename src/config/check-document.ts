import type { JsonValue } from '../conversation/json.ts';
import { expectation, explainIssues } from './explain.ts';
import type { Finding } from './finding.ts';
import type { KnownProvider } from './known-provider.ts';
import { takePlainKeys } from './plain-keys.ts';
import { checkProviders } from './provider-checks.ts';
import { checkReferences } from './references.ts';
import { configSchema, type ParsedConfig } from './schema.ts';
import type { Environment } from './substitute.ts';
import { checkWorkers } from './worker-checks.ts';

export interface CheckContext {
  env: Environment;
  knownProviders: readonly KnownProvider[];
  adminKey: string | undefined;
}

/**
 * Holds a document whose placeholders are filled in against everything that a configuration must be: its shape, what
 * providers need, and where names lead. `parsed` is there where the shape is right.
 *
 * @param whole where names lead; the document itself unless only a part of the configuration is checked
 */
export function checkDocument(
  document: JsonValue,
  context: CheckContext,
  whole: unknown = document,
): { parsed: ParsedConfig | undefined; findings: Finding[] } {
  const { document: rest, keys } = takePlainKeys(document);
  const parsed = configSchema.safeParse(rest, { error: expectation });
  const tenants = parsed.data?.tenants ?? {};
  for (const [name, plain] of keys) {
    const tenant = tenants[name];
    if (tenant) tenant.keys = plain;
  }
  return {
    parsed: parsed.data,
    findings: [
      ...(parsed.success ? [] : explainIssues(parsed.error.issues, document)),
      ...checkProviders(document, context.knownProviders, context.env),
      ...checkReferences(whole, context, document),
      ...checkWorkers(document),
    ],
  };
}
