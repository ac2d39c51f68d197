import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { JsonObject } from '../../src/conversation/json.ts';

/** The conformance suite of github.com/google/dotprompt (`spec/`), where a copy of that repository lies beside the checkout. */
const SPEC = fileURLToPath(new URL('../../../dotprompt/spec/', import.meta.url));

export const skipWithoutSpec: string | false = existsSync(SPEC)
  ? false
  : 'the conformance suite of google/dotprompt (../dotprompt/spec) is not beside this checkout';

export interface SpecCase {
  /** `helpers/media: basic: renders media part`. */
  title: string;
  template: string;
  partials: Record<string, string>;
  schemas: Record<string, JsonObject>;
  data: { input?: JsonObject; messages?: JsonObject[]; context?: JsonObject };
  options: { input?: { default?: JsonObject } };
  expect: JsonObject;
}

interface Suite extends Partial<Omit<SpecCase, 'title'>> {
  name: string;
  template: string;
  resolverPartials?: Record<string, string>;
  tests: { desc?: string; data?: SpecCase['data']; options?: SpecCase['options']; expect: JsonObject }[];
}

/** Empty where there is no copy. */
export function readSpec(): SpecCase[] {
  if (skipWithoutSpec) return [];
  const files = readdirSync(SPEC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.yaml'),
  );
  return files.toSorted().flatMap((file) =>
    (parse(readFileSync(join(SPEC, file), 'utf8')) as Suite[]).flatMap((suite) =>
      suite.tests.map((one, index) => ({
        title: `${relative('', file).replace(/\.yaml$/, '')}: ${suite.name}: ${one.desc ?? index}`,
        template: suite.template,
        partials: { ...suite.partials, ...suite.resolverPartials },
        schemas: suite.schemas ?? {},
        data: { ...suite.data, ...one.data },
        options: one.options ?? {},
        expect: one.expect,
      })),
    ),
  );
}
