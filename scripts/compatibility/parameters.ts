import type { Parameters } from '../../src/conversation/conversation.ts';
import { PARAMETERS, type ParameterDialect, parameterFate } from '../../src/dialects/parameters.ts';
import { code, table } from './markdown.ts';

const DIALECTS: readonly [dialect: ParameterDialect, title: string][] = [
  ['chat', 'Chat Completions'],
  ['responses', 'Responses'],
  ['messages', 'Messages'],
  ['gemini', 'Gemini'],
  ['converse', 'Bedrock Converse'],
];

/** The table that the codecs write by. */
export function renderParameters(): string {
  const rows = (Object.keys(PARAMETERS) as (keyof Parameters)[]).map((key) => [
    code(key),
    ...DIALECTS.map(([dialect]) => {
      const fate = parameterFate(key, dialect);
      return typeof fate === 'string' ? fate : code(fate.path);
    }),
  ]);
  return `## Parameters by dialect

What a parameter is called in each dialect. Where a provider's dialect has no word for one, it is dropped and named, refused, or done by the gateway ([stop sequences](providers.md#stop-sequences)).
Models that do not take one of them (sampling parameters of reasoning models, for example) have it dropped and named, too.

${table(['parameter', ...DIALECTS.map(([, title]) => title)], rows)}`;
}
