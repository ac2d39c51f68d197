import type { JsonObject } from '../conversation/json.ts';
import { exampleInput } from '../prompts/example-input.ts';
import type { Found, PublishedPrompt } from '../prompts/prompt-book.ts';
import type { PromptRecord, PromptVersion } from '../prompts/versions.ts';
import { stateOf } from '../prompts/versions.ts';

/** A prompt as its callers see it: never its text. */
export function describePrompt(prompt: PublishedPrompt): JsonObject {
  const { name, description, input, output, version, takesHistory, tools, overrides, mediaInputs } = prompt;
  return {
    ...{ object: 'prompt', name, description: description ?? null },
    ...{ version: version.number, hash: version.hash, state: version.state },
    input: input?.schema ?? null,
    output: { format: output.format, schema: output.check?.schema ?? null },
    ...{ history: takesHistory, tools: tools.length > 0, overrides: [...overrides], files: [...mediaInputs] },
  };
}

/** The same with its other versions and labels, and an input to try it with. */
export function describeVersions(prompt: PublishedPrompt): JsonObject {
  const { record, version, successor, input, inputDefaults, mediaInputs } = prompt;
  return {
    ...describePrompt(prompt),
    ...(version.state === 'deprecated' && describeEnd(version, successor)),
    ...describeRecord(record),
    example: exampleInput(input?.schema, inputDefaults, mediaInputs) ?? null,
  };
}

export function describeRetired({ version, successor }: Extract<Found, { state: 'retired' }>): JsonObject {
  const { name, number, hash } = version;
  return {
    ...{ object: 'prompt', name, version: number, hash, state: 'retired' },
    ...describeEnd(version, successor),
  };
}

function describeEnd({ retiresAt }: PromptVersion, successor: string | undefined): JsonObject {
  return {
    retiresAt: retiresAt === undefined ? null : new Date(retiresAt).toISOString(),
    successor: successor ?? null,
  };
}

/** Which versions there are, and which of them labels point at. */
function describeRecord({ versions, labels }: PromptRecord): JsonObject {
  const nowMs = Date.now();
  return {
    labels: Object.fromEntries([...labels.values()].map(({ label, number }) => [label, number])),
    versions: versions.map((version) => ({
      ...{ version: version.number, hash: version.hash, state: stateOf(version, nowMs) },
      createdAt: new Date(version.createdAt).toISOString(),
    })),
  };
}
