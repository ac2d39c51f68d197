import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { EMBEDDING_DIALECTS, UPSTREAM_EMBEDDINGS } from '../../src/dialects/registry.ts';
import { findEndpoint } from '../../src/upstream/endpoint.ts';
import type { Settings } from '../../src/upstream/provider.ts';
import type { RelayedPlace } from '../../src/upstream/relayed-paths.ts';
import { declarationOf } from '../../test/sdk/matrix/expected.ts';
import { PROVIDER_KINDS, type ProviderKind } from '../../test/sdk/matrix/providers.ts';
import { titleOf } from './doors.ts';
import { code, table } from './markdown.ts';

/** What becomes of a call; `in part`: native for some alone, else translated; `here`: the gateway's own counter answers. */
export type OperationOutcome = 'native' | 'in part' | 'translated' | 'here' | 'not had';

/** A door beside those of the matrix. */
export type OperationDoor = { title: string; path: string } & (
  | { operation: 'embed' | 'count'; dialect: CallerDialectName }
  | { place: RelayedPlace }
  | { completesText: true }
);

export const OPERATION_DOORS: readonly OperationDoor[] = [
  { title: 'text completions', path: '/v1/completions', completesText: true },
  { title: 'embeddings', path: '/v1/embeddings', operation: 'embed', dialect: 'chat' },
  {
    title: 'embeddings, Gemini',
    path: '/v1beta/models/MODEL:batchEmbedContents',
    operation: 'embed',
    dialect: 'gemini',
  },
  { title: 'counting', path: '/v1/messages/count_tokens', operation: 'count', dialect: 'messages' },
  {
    title: 'counting, Gemini',
    path: '/v1beta/models/MODEL:countTokens',
    operation: 'count',
    dialect: 'gemini',
  },
  {
    title: 'counting, Responses',
    path: '/v1/responses/input_tokens',
    operation: 'count',
    dialect: 'responses',
  },
  { title: 'files', path: '/v1/files', place: 'file' },
  { title: 'batches', path: '/v1/batches', place: 'batch' },
  { title: 'images', path: '/v1/images/generations', place: 'image' },
  { title: 'image edits', path: '/v1/images/edits', place: 'image_edit' },
  { title: 'image variations', path: '/v1/images/variations', place: 'image_variation' },
  { title: 'speech', path: '/v1/audio/speech', place: 'speech' },
  { title: 'transcription', path: '/v1/audio/transcriptions', place: 'transcribe' },
  { title: 'translation', path: '/v1/audio/translations', place: 'translate' },
  { title: 'moderation', path: '/v1/moderations', place: 'moderate' },
  { title: 'rerank', path: '/v1/rerank', place: 'rerank' },
  { title: 'rerank, v2', path: '/v2/rerank', place: 'rerank_v2' },
];

/** Models of embeddings, where another than the provider's row has would not do. */
const EMBEDDING_MODELS: Readonly<Record<string, string>> = {
  'openai-responses': 'text-embedding-3-small',
  'azure-openai-responses': 'text-embedding-3-small',
  bedrock: 'amazon.titan-embed-text-v2:0',
  'vertex-gemini': 'gemini-embedding-001',
};

export function modelFor(kind: ProviderKind, door: OperationDoor): string {
  const isEmbedding = 'operation' in door && door.operation === 'embed';
  return (isEmbedding ? EMBEDDING_MODELS[kind.name] : undefined) ?? kind.model;
}

/** As the tables of the codecs and the declaration of the provider have it. */
export function operationOutcome(kind: ProviderKind, door: OperationDoor): OperationOutcome {
  const declaration = declarationOf(kind.adapter);
  if ('place' in door) return declaration.relays?.[door.place] === undefined ? 'not had' : 'native';
  if ('completesText' in door) return completionsOutcome(kind);
  const { operation, dialect } = door;
  const endpoint = findEndpoint(
    { declaration, quirked: undefined },
    { basePath: '', settings: (kind.settings ?? {}) satisfies Settings },
    { operation, dialect, model: modelFor(kind, door), stream: false },
  );
  if (!endpoint) return operation === 'count' ? 'here' : 'not had';
  if (operation === 'count' && endpoint.surface.counts !== undefined) return 'translated';
  const form = endpoint.surface.embeddings?.(modelFor(kind, door));
  if (operation === 'embed' && form !== undefined)
    return EMBEDDING_DIALECTS[dialect] && UPSTREAM_EMBEDDINGS[form] ? 'translated' : 'not had';
  return endpoint.surface.dialect === dialect ? 'native' : 'translated';
}

function completionsOutcome({ adapter, models }: ProviderKind): OperationOutcome {
  const of = declarationOf(adapter).completions?.of;
  // A row of other models than the provider's usual ones has none of those that a pattern is of.
  if (of === undefined || (of instanceof RegExp && models !== undefined)) return 'translated';
  return of === 'every call' ? 'native' : 'in part';
}

/** Providers × what can be asked for beside generation. */
export function renderOperations(): string {
  const rows = PROVIDER_KINDS.map((kind) => [
    titleOf(kind),
    ...OPERATION_DOORS.map((door) => {
      const outcome = operationOutcome(kind, door);
      return outcome === 'not had' ? '' : outcome;
    }),
  ]);
  const doors = OPERATION_DOORS.map(({ title, path }) => `| ${title} | ${code(path)} |`).join('\n');
  return `## Beside generation

From the declarations of the providers and the tables of the codecs; a test asks each of these doors for each provider. An empty cell: not had, and the call is a 400
(\`unsupported_operation\`; a file goes to no such provider). "here": the provider cannot count, so the gateway does, as an estimate;
so it does where Bedrock or Vertex do not count a model, which they do not everywhere.
Text completions are native where the provider has them: "in part" for what a chat cannot say alone (\`suffix\`, \`echo\`, \`logprobs\`, \`best_of\`,
several prompts, token ids), at OpenAI and Azure for the models that have no chat (\`gpt-3.5-turbo-instruct\`, \`davinci-002\`,
\`babbage-002\`). Else the prompt is a conversation of one message, and what a chat cannot say is a 400: so it is at Mistral, whose FIM has a form of its own.
Files and batches are kept at one provider and belong to their tenant; the rest is relayed as it comes ([media.md](media.md)).

| operation | door |
| --- | --- |
${doors}

${table(['provider', ...OPERATION_DOORS.map(({ title }) => title)], rows)}`;
}
