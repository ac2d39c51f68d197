/** What the config must know of a provider declaration (`providers/NAME.ts`). */
export interface KnownProvider {
  name: string;
  /** Environment variables that hold the key; the first one set makes the provider exist without config. */
  envKeys: readonly string[];
  /** Absent: the config must say it, unless it follows from the settings. */
  baseUrl?: string;
  /** The base URL where it depends on the settings. */
  baseUrlAt?(settings: Readonly<Partial<Record<SettingName, string>>>): string;
  /** The environment variable that the vendor's SDK reads its base URL from. */
  envBaseUrl?: string;
  credential?: 'required' | 'optional' | 'none';
  /** What the config may say of it. */
  settings?: Readonly<Partial<Record<string, SettingSource>>>;
  signIn?: KnownSignIn;
  /** Lives in the gateway's process: needs no address and is always there. */
  inProcess?: string;
}

/** Settings that are one piece of text and may come from the environment. */
export const SETTING_NAMES = ['region', 'location', 'project', 'apiVersion'] as const;
export type SettingName = (typeof SETTING_NAMES)[number];

export interface SettingSource {
  /** The first that is set is taken. */
  env?: readonly string[];
  default?: string;
  /** Nothing can be called without it. */
  required?: boolean;
}

/** Credentials beside a key: their kind is the word for them in an account. */
export interface KnownSignIn {
  kind: 'aws' | 'google' | 'entra';
  /** The variable of each field. */
  env: Readonly<Record<string, string>>;
  /** Credentials can be found without any variable (Google's application default credentials). */
  ambient?: boolean;
}
