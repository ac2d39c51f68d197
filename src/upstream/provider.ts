import type { DialectName } from '../conversation/conversation.ts';
import type { JsonValue } from '../conversation/json.ts';
import type { ChatQuirks } from '../dialects/chat/quirks.ts';
import type { ModelNames } from '../dialects/model-names.ts';
import type { CountForm, EmbeddingForm } from '../dialects/registry.ts';
import type { Operation } from '../usage/record.ts';
import type { LackedFieldPath } from './lacked-fields.ts';
import type { RelayedPlace } from './relayed-paths.ts';

/**
 * What is to be known about an upstream service, as data. `providers/NAME.ts` exports one as its default:
 * to add a provider is to add a file.
 */
export interface ProviderDeclaration extends Surface {
  /** The word in configs and target names (`NAME/model-version`). */
  name: string;
  title: string;
  /** Whose models are those that speak `dialect`, where the provider tells publishers apart: they take what they take nowhere else. */
  publisher?: string;
  /** Whose word the names of its models are; anyone's where nothing is said. */
  names?: ModelNames;
  /** What its models speak instead of `dialect`, or beside it. */
  alsoSpeaks?: readonly FurtherSurface[];
  /**
   * What the vendor's own SDK takes as its base URL: with `/v1` for OpenAI and its kin, without a version for
   * Anthropic and Google. Absent, as `baseUrlAt` is: the config must say it.
   */
  baseUrl?: string;
  /** The base URL where it depends on the account's settings. */
  baseUrlAt?(settings: Settings): string;
  /** Environment variables that hold the key; the first one set makes the provider exist without config. */
  envKeys: string[];
  /** The environment variable that the vendor's SDK reads its base URL from. */
  envBaseUrl?: string;
  /** What the config may say of it beside its address and its accounts' credentials. */
  settings?: Readonly<Partial<Record<keyof Settings, SettingSource>>>;
  /**
   * Where a model is served that is called in a region (`undefined`: nobody says which), if that may be elsewhere; `undefined`: its name does not
   * say. Absent: always where it is called.
   */
  regionOf?(model: string, called: string | undefined): string | undefined;
  /** Headers that carry the credential. Never a query parameter: URLs end up in logs. */
  authorize(credential: string): Record<string, string>;
  /** Credentials that are no header by themselves: each request is signed, or a token is fetched and renewed. */
  signIn?: SignIn;
  /** Headers that name what an account belongs to, where the provider has such. */
  identifyAccount?(account: Settings): Record<string, string>;
  /** Headers of every request. */
  headers?: Record<string, string>;
  /** Callers' headers that it knows, of those that not every provider of their dialect does (`gateway/callers-headers.ts`). */
  callersHeaders?: readonly string[];
  /** `optional`: servers that may run without a key. */
  credential?: 'required' | 'optional' | 'none';
  /** The provider lives in this process and needs no network. */
  inProcess?: 'echo';
  /** What a provider of the chat dialect does differently from OpenAI. */
  quirks?: ChatQuirks;
  /**
   * What it has of OpenAI's API beside text and embeddings (images, speech, files, …) and of Cohere's rerank. `here`: at
   * OpenAI's own path; else a reference that is resolved against the base URL, or what makes the path below it. What is not named is not had.
   */
  relays?: Readonly<Partial<Record<RelayedPlace, string | ((request: RelayRequest) => string)>>>;
  /**
   * Which text completions it has in their own form, and where (as in `relays`). A pattern: those of such models. Others are asked in the form of chat,
   * as all are where nothing is said.
   */
  completions?: {
    of: 'every call' | 'beyond chat' | RegExp;
    at?: string | ((request: RelayRequest) => string);
  };
  /** What stands in texts before the id of a file that its models are to read (`fileid://`), beside the fields of its dialect. */
  filesInTexts?: string;
  /** Models that it always has, for the model list. */
  models?: string[];
}

/** A wire language that models are had in, and what is peculiar about it at a provider. */
export interface Surface {
  dialect: DialectName;
  /** Where operations live below the base URL. Absent: where the dialect's own API has them. What is not named is not had. */
  paths?: Paths;
  /** Operations of the dialect's own API that it has not. */
  lacks?: readonly UpstreamOperation[];
  /** The form of a model's embeddings, where it is not the dialect's. */
  embeddings?(model: string): EmbeddingForm;
  /** The form of its counts of tokens, where it is not the dialect's. */
  counts?: CountForm;
  /** Not every model is counted, nor everywhere: where it says that it does not count, the gateway does. */
  countsInPart?: true;
  /** Top-level fields of every body beside those of the dialect; one that is `undefined` is taken out. */
  body?: Readonly<Record<string, JsonValue | undefined>>;
  /** The same of what is to be counted, where it is not alike. */
  countBody?: Readonly<Record<string, JsonValue | undefined>>;
  /** The flags of the `anthropic-beta` header that it knows: others it would refuse. Absent: every flag. */
  betas?: readonly string[];
  /** By flags that Anthropic knows, what those are called there. */
  betaNames?: Readonly<Record<string, string>>;
  /** The flag without which it refuses tools that are only found by a search; Anthropic's own API asks for none. */
  searchedToolsBeta?: string;
  /** Fields of Anthropic's dialect that it refuses. `models`: of these alone. */
  lacksFields?: readonly { path: LackedFieldPath; models?(model: string): boolean }[];
  /**
   * The flags of the `anthropic-beta` header that a model of Anthropic's takes in the body, where another dialect than Anthropic's is spoken.
   * `undefined`: it is none of those.
   */
  betasInBody?(model: string): readonly string[] | undefined;
  /** It is Anthropic's own API, which reads what Claude Code tells its billing among the instructions. All others are not told it. */
  readsBilling?: true;
  /** It holds message threads (`thread` of the messages dialect), as Anthropic's own API does. */
  threads?: true;
}

export interface FurtherSurface extends Surface {
  /** The models that speak this and nothing else. Absent: any model speaks it with callers who speak it, too. */
  models?(model: string): boolean;
  /** Whether an account with these settings has it. Absent: all do. */
  isHad?(settings: Settings): boolean;
}

/**
 * What can be asked of a provider. `embed_one`: what Gemini has beside its batches; `compact`: OpenAI's compaction of a conversation.
 * Only relayed calls ask for these.
 */
export type UpstreamOperation = Operation | 'embed_one' | 'compact';

/** `undefined`: that model has not the operation. */
export type Paths = Readonly<
  Partial<Record<UpstreamOperation, (request: PathRequest) => string | undefined>>
>;

export interface PathRequest {
  /** The model's name there, as one URL-encoded path segment. */
  model: string;
  stream: boolean;
  settings: Settings;
}

/** `suffix` stands behind the path of the operation: which of the things that are kept, and what is asked of it. */
export type RelayRequest = Omit<PathRequest, 'stream'> & { suffix: string };

/** What addresses and headers are made of; said in the config by the same names. */
export interface Settings {
  /** OpenAI: the organisation that is billed. */
  organization?: string | undefined;
  /** OpenAI: the project that is billed. Google Cloud: the project that is called. */
  project?: string | undefined;
  /** AWS: the region, e.g. `us-east-1`. */
  region?: string | undefined;
  /** Google Cloud: the location, e.g. `europe-west4` or `global`. */
  location?: string | undefined;
  /** Azure: the `api-version` of a request. */
  apiVersion?: string | undefined;
  /** Azure: the deployment of a model, where it has another name than the model. */
  deployments?: Readonly<Record<string, string>> | undefined;
}

export interface SettingSource {
  /** The variables of the vendor's own tools; the first that is set is taken. */
  env?: readonly string[];
  default?: string;
  /** Nothing can be called without it. */
  required?: boolean;
}

export type SignIn =
  /** AWS Signature Version 4 over each request. */
  | { kind: 'aws'; service: string; env: Readonly<Record<AwsField, string>> }
  /** Google access tokens. Without credentials in the config: those that Google's library finds by itself. */
  | { kind: 'google'; scope: string; env: Readonly<Record<'file', string>>; ambient: true }
  /** Microsoft Entra ID, by the client credentials of an application. */
  | { kind: 'entra'; scope: string; env: Readonly<Record<keyof EntraCredentials, string>> };

type AwsField = 'accessKeyId' | 'secretAccessKey' | 'sessionToken';

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** One of the two. */
export interface GoogleCredentials {
  /** A service account's key file as JSON, or as the text of it. */
  serviceAccount?: string | Readonly<{ client_email: string; private_key: string }> | undefined;
  /** The path of a file with credentials of any kind. */
  file?: string | undefined;
}

export interface EntraCredentials {
  tenantId: string;
  clientId: string;
  clientSecret: string;
}
