import { ANTHROPIC } from './published/anthropic.ts';
import { GEMINI, VERTEX } from './published/google.ts';
import { MISTRAL } from './published/mistral.ts';
import { OPENAI } from './published/openai.ts';
import { ALIBABA, COHERE, DEEPSEEK, GROQ, MOONSHOT, XAI } from './published/others.ts';
import type { PublishedList } from './published/published-list.ts';

/** When a provider takes a model out of its API. Times are Unix milliseconds, of the beginning of a UTC day. */
export interface UpstreamRetirement {
  atMs: number;
  /** When it said so, where that is known. */
  announcedMs?: number | undefined;
  /** `provider/model-version` to move to. */
  successor?: string | undefined;
  /** Who says so: a page of the vendor's, or the configuration. */
  source: string;
}

/** By the declarations of the providers that the models are had from. */
export const PUBLISHED_LISTS: Readonly<Record<string, PublishedList>> = {
  openai: OPENAI,
  anthropic: ANTHROPIC,
  gemini: GEMINI,
  vertex: VERTEX,
  mistral: MISTRAL,
  alibaba: ALIBABA,
  cohere: COHERE,
  deepseek: DEEPSEEK,
  groq: GROQ,
  moonshot: MOONSHOT,
  xai: XAI,
};

/** The successor by its name at the vendor. */
type Published = Omit<UpstreamRetirement, 'successor'> & { successor: string | undefined };

const PUBLISHED = new Map<string, Published>(
  Object.entries(PUBLISHED_LISTS).flatMap(([adapter, { source, rows }]) =>
    rows.flatMap(([models, announcedOn, retiresOn, successor]) => {
      const atMs = Date.parse(retiresOn);
      const announcedMs = announcedOn === undefined ? undefined : Date.parse(announcedOn);
      return models.map((model): [string, Published] => [
        `${adapter}/${model}`,
        { atMs, announcedMs, successor, source },
      ]);
    }),
  ),
);

/**
 * What the vendor of a model has published of its retirement; `undefined` where nothing is known.
 *
 * @param adapter the declaration of the provider that it is had from
 * @param provider the provider's name in the configuration, for the name of the successor
 */
export function publishedRetirement(
  adapter: string,
  provider: string,
  model: string,
): UpstreamRetirement | undefined {
  const published = PUBLISHED.get(`${adapter}/${model}`);
  if (!published) return undefined;
  const { successor, ...rest } = published;
  return { ...rest, successor: successor === undefined ? undefined : `${provider}/${successor}` };
}

/** What a configuration says of a target. */
interface ConfiguredTarget {
  provider: string;
  model: string;
  /** Unix milliseconds. */
  retires?: number | 'never' | undefined;
  successor?: string | undefined;
}

/** When a target's model is taken away by its provider: what the configuration says goes before what is published. */
export function targetRetirement(
  adapter: string,
  { provider, model, retires, successor }: ConfiguredTarget,
): UpstreamRetirement | undefined {
  if (retires === 'never') return undefined;
  const published = publishedRetirement(adapter, provider, model);
  const dated = retires === undefined ? published : { atMs: retires, source: 'configuration' };
  return dated && { ...dated, successor: successor ?? published?.successor };
}
