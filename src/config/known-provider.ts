/** What the config must know of a provider declaration (`providers/NAME.ts`). */
export interface KnownProvider {
  name: string;
  /** Environment variables that hold the key; the first one set makes the provider exist without config. */
  envKeys: readonly string[];
  /** Absent: the config must say it. */
  baseUrl?: string;
  /** The environment variable that the vendor's SDK reads its base URL from. */
  envBaseUrl?: string;
  credential?: 'required' | 'optional' | 'none';
  /** Lives in the gateway's process: needs no address and is always there. */
  inProcess?: string;
}
