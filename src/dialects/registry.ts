import type { DialectName } from '../conversation/conversation.ts';
import { chatEmbeddings } from './chat/embeddings.ts';
import { chat } from './chat/index.ts';
import { converseCounts } from './converse/count-tokens.ts';
import { bedrockEmbeddings } from './converse/embeddings.ts';
import { converse } from './converse/index.ts';
import type { CountDialect, UpstreamCounts } from './count-tokens.ts';
import type { UpstreamDialect } from './dialect.ts';
import type { EmbeddingDialect, UpstreamEmbeddings } from './embeddings.ts';
import { geminiCounts, vertexCounts } from './gemini/count-tokens.ts';
import { geminiEmbeddings } from './gemini/embeddings.ts';
import { gemini } from './gemini/index.ts';
import { vertexContents, vertexPredictions } from './gemini/vertex-embeddings.ts';
import { messagesCounts } from './messages/count-tokens.ts';
import { messages } from './messages/index.ts';
import { responsesCounts } from './responses/count-tokens.ts';
import { responses } from './responses/index.ts';

/** The dialects that providers speak. */
export const DIALECTS = { chat, responses, messages, gemini, converse } satisfies Partial<
  Record<DialectName, UpstreamDialect>
>;

/** Those of them in which clients ask for a count of tokens. */
export const COUNT_DIALECTS: Partial<Record<DialectName, CountDialect>> = {
  messages: messagesCounts,
  gemini: geminiCounts,
  responses: responsesCounts,
};

/** How providers are asked for one: in their dialect, or in a form of their own (`Surface.counts`). */
export const UPSTREAM_COUNTS: Partial<Record<DialectName | CountForm, UpstreamCounts>> = {
  ...COUNT_DIALECTS,
  converse: converseCounts,
  vertex: vertexCounts,
};

/** A form that is no dialect's. */
export type CountForm = 'vertex';

/** Those of them in which clients ask for embeddings. */
export const EMBEDDING_DIALECTS: Partial<Record<DialectName, EmbeddingDialect>> = {
  chat: chatEmbeddings,
  gemini: geminiEmbeddings,
};

/** How providers are asked for embeddings: in their dialect, or in a form of their own (`Surface.embeddings`). */
export const UPSTREAM_EMBEDDINGS: Partial<Record<DialectName | EmbeddingForm, UpstreamEmbeddings>> = {
  ...EMBEDDING_DIALECTS,
  converse: bedrockEmbeddings,
  vertex_predict: vertexPredictions,
  vertex_content: vertexContents,
};

/** Forms that are no dialect's. */
export type EmbeddingForm = 'vertex_predict' | 'vertex_content';
