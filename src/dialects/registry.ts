import type { DialectName } from '../conversation/conversation.ts';
import { chatEmbeddings } from './chat/embeddings.ts';
import { chat } from './chat/index.ts';
import type { Dialect } from './dialect.ts';
import type { EmbeddingDialect } from './embeddings.ts';
import { geminiEmbeddings } from './gemini/embeddings.ts';
import { gemini } from './gemini/index.ts';
import { messages } from './messages/index.ts';

/** The dialects that providers speak. */
export const DIALECTS = { chat, messages, gemini } satisfies Partial<Record<DialectName, Dialect>>;

/** Those of them that have embeddings. */
export const EMBEDDING_DIALECTS: Partial<Record<DialectName, EmbeddingDialect>> = {
  chat: chatEmbeddings,
  gemini: geminiEmbeddings,
};
