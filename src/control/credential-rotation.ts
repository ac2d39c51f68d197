import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Change } from './change.ts';
import type { ControlNews, NewsLog } from './control-news.ts';
import type { ControlPlane } from './control-plane.ts';
import type { OwnedEntry } from './entry.ts';
import type { Layers } from './layers.ts';

/** A credential of an account, by what a provider's answers said of it. */
export interface JudgedCredential {
  provider: string;
  account: string;
  /** Of one that is to replace the account's: its configuration, as it was compiled. */
  next: object | undefined;
}

export interface RotationOptions {
  control: ControlPlane;
  news: ControlNews;
  log: NewsLog;
}

/** Who a revision is by that replaces a credential, or drops the one that was to replace it. */
const AUTHOR = { name: 'credential rotation', source: 'api' } as const;

/** The fields of an account that say who one is. */
export const CREDENTIAL_FIELDS = ['apiKey', 'apiKeyFile', 'aws', 'google', 'entra'] as const;

/**
 * What follows from what providers make of our credentials: alarms, and the end of a rotation. What the config file
 * declares is the file's to change: there the operator is told what to write.
 */
export class CredentialRotation {
  readonly #options: RotationOptions;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  rejected({ provider, account, next }: JudgedCredential, reason: string): void {
    const details = { provider, account, next: next !== undefined, reason };
    const message = next
      ? `The new credential of the account '${account}' at '${provider}' was refused: it is dropped, and the old one goes on.`
      : `The provider '${provider}' rejected the credential of the account '${account}': it is taken out.`;
    this.#options.news.tell('alarm', 'credential_rejected', message, details);
    if (next) this.#finish(provider, account, next, ({ next: _next, ...rest }) => rest);
  }

  accepted({ provider, account }: JudgedCredential): void {
    const message = `The provider '${provider}' takes the credential of the account '${account}' again.`;
    this.#options.news.tell('info', 'credential_accepted', message, { provider, account });
  }

  proven({ provider, account, next }: JudgedCredential): void {
    if (!next) return;
    const { control, news } = this.#options;
    const isOfFile = control.layers.find('providers', provider)?.owner === 'file';
    const advice = isOfFile
      ? ": write it as the account's own in the config file"
      : ', and replaces the old one';
    const message = `The new credential of the account '${account}' at '${provider}' is proven${advice}.`;
    news.tell('info', 'credential_proven', message, { provider, account, writeItInTheFile: isOfFile });
    this.#finish(provider, account, next, takeOver);
  }

  /** Changes an account, unless its configuration has another `next` by now. */
  #finish(
    provider: string,
    account: string,
    next: object,
    change: (account: JsonObject) => JsonObject,
  ): void {
    const { control, log } = this.#options;
    const plan = (layers: Layers): Change[] => {
      const entry = layers.find('providers', provider);
      const inForce = control.config.providers[provider]?.accounts.find(({ name }) => name === account);
      if (entry?.owner !== 'api' || !isDeepStrictEqual(inForce?.next, next)) return [];
      return changeAccount(entry, account, change);
    };
    control.change(AUTHOR, plan).catch((err: unknown) => {
      // Another instance may do it, or the operator; this one goes on as it is.
      const fields = { event: 'credential_rotation_failed', provider, account, err };
      log.error(fields, 'the end of a rotation could not be written');
    });
  }
}

/** The new credential becomes the account's own. */
function takeOver({ next, ...account }: JsonObject): JsonObject {
  if (!isObject(next)) return account;
  const { share: _share, proveAfter: _proveAfter, ...credential } = next;
  const own = Object.entries(account).filter(
    ([field]) => !(CREDENTIAL_FIELDS as readonly string[]).includes(field),
  );
  return { ...Object.fromEntries(own), ...credential };
}

/** The change of one account of a provider; none where it has no such account. */
export function changeAccount(
  { owner, kind, name, value }: OwnedEntry,
  account: string,
  change: (account: JsonObject) => JsonObject,
): Change[] {
  if (!isObject(value) || !Array.isArray(value['accounts'])) return [];
  const accounts = value['accounts'].map((written: JsonValue) =>
    isObject(written) && written['name'] === account ? change(written) : written,
  );
  const after = { ...value, accounts };
  return isDeepStrictEqual(after, value) ? [] : [{ owner, kind, name, before: value, after }];
}
