import type { DialectName } from '../conversation/conversation.ts';
import type { ChatQuirks } from '../dialects/chat/quirks.ts';

/**
 * What is to be known about an upstream service, as data. `providers/NAME.ts` exports one as its default:
 * to add a provider is to add a file.
 */
export interface ProviderDeclaration {
  /** The word in configs and target names (`NAME/model-version`). */
  name: string;
  title: string;
  dialect: Extract<DialectName, 'chat' | 'messages' | 'gemini'>;
  /**
   * What the vendor's own SDK takes as its base URL: with `/v1` for OpenAI and its kin, without a version for
   * Anthropic and Gemini. Absent: the config must say it.
   */
  baseUrl?: string;
  /** Environment variables that hold the key; the first one set makes the provider exist without config. */
  envKeys: string[];
  /** The environment variable that the vendor's SDK reads its base URL from. */
  envBaseUrl?: string;
  /** Headers that carry the credential. Never a query parameter: URLs end up in logs. */
  authorize(credential: string): Record<string, string>;
  /** Headers that name what an account belongs to, where the provider has such. */
  identifyAccount?(account: AccountIdentity): Record<string, string>;
  /** Headers of every request. */
  headers?: Record<string, string>;
  /** `optional`: servers that may run without a key. */
  credential?: 'required' | 'optional' | 'none';
  /** The provider lives in this process and needs no network. */
  inProcess?: 'echo';
  /** What a provider of the chat dialect does differently from OpenAI. */
  quirks?: ChatQuirks;
  /** Models that it always has, for the model list. */
  models?: string[];
}

export interface AccountIdentity {
  organization?: string | undefined;
  project?: string | undefined;
}
