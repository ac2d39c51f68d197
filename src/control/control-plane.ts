import type { Finding } from '../config/finding.ts';
import { type LoadedConfig, openConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config } from '../config/resolve.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Store } from '../store/store.ts';
import type { TenantEnds } from '../tenants/tenant-ends.ts';
import { type Behind, planBehind, refuseUnaware } from './behind.ts';
import { type Change, diffEntries, isChange } from './change.ts';
import {
  blankFile,
  changedInstance,
  fileRevision,
  inFileOrder,
  pickInstance,
  saysNothing,
  splitFile,
} from './config-file.ts';
import type { ControlNews, NewsLog } from './control-news.ts';
import { CurrentConfig, type CurrentConfigOptions } from './current-config.ts';
import { FileStanding, type FileTrouble } from './file-standing.ts';
import { Follower } from './follower.ts';
import type { Layers } from './layers.ts';
import { planRestore } from './plan-restore.ts';
import { resealAll } from './reseal.ts';
import { ATTEMPTS, type Outcome, RevisionMaker } from './revision-maker.ts';
import { type Alongside, RevisionStore } from './revision-store.ts';
import { Turns } from './turns.ts';
import type { Vault } from './veil.ts';

export interface ControlOptions extends CurrentConfigOptions {
  store: Store;
  news: ControlNews;
  log: NewsLog;
  /** Reads keys again that are in the store and in no revision; gives whether they are others than before. */
  refreshKeys(): Promise<boolean>;
  /** Told which names of tenants were used before a revision is in force. */
  tenantEnds: TenantEnds;
  /** Told when something was changed here, and is in the store: others may look at once. Not of what others changed. */
  onMade(): void;
}

/** What is wrong between this instance, its file and the store. */
export type ControlTrouble = FileTrouble | 'behind' | 'store_unreachable';

export interface Author {
  name: string;
  source: 'api' | 'restore';
}

export interface ChangeOptions {
  /** Written with the revision, both or neither: what it throws undoes the change. */
  alongside?: Alongside | undefined;
  /** Of what takes something away from somebody: it waits for the change under way, and for no other. */
  urgency?: 'urgent';
}

/**
 * The one owner of the configuration: it makes revisions, follows those of other instances, and puts each in force.
 * Changes are made one at a time; each is validated and compiled before it is written, and in force when it is.
 */
export class ControlPlane {
  readonly revisions: RevisionStore;
  readonly #options: ControlOptions;
  readonly vault: Vault;
  /** What this instance's own settings were at its start. */
  readonly #instance: JsonObject;
  readonly #current: CurrentConfig;
  readonly #turns = new Turns();
  /** The look that waits for its turn, or has it. */
  #look: Promise<void> | undefined;
  readonly #file: FileStanding;
  readonly #follower: Follower;
  readonly #maker: RevisionMaker;
  #isStoreAway = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.vault = options.vault;
    this.revisions = new RevisionStore(options.store);
    this.#current = new CurrentConfig(options);
    this.#file = new FileStanding(options);
    this.#follower = new Follower({ ...options, current: this.#current, revisions: this.revisions });
    this.#maker = new RevisionMaker({
      ...{ current: this.#current, revisions: this.revisions },
      ...{ tenantEnds: options.tenantEnds, news: options.news, now: options.now },
      follow: () => this.#follow(),
      onMade: () => options.onMade(),
    });
    this.#instance = pickInstance(options.loaded.document);
  }

  /** The number of the revision in force. */
  get revision(): number {
    return this.#current.revision;
  }

  get config(): Config {
    return this.#current.config;
  }

  get layers(): Layers {
    return this.#current.layers;
  }

  get troubles(): ControlTrouble[] {
    const { trouble } = this.#file;
    return [
      ...(trouble ? [trouble] : []),
      ...(this.behind ? (['behind'] as const) : []),
      ...(this.#isStoreAway ? (['store_unreachable'] as const) : []),
    ];
  }

  /** Why a newer revision is not in force here. */
  get behind(): Behind | undefined {
    return this.#follower.behind;
  }

  get loaded(): LoadedConfig {
    return this.#options.loaded;
  }

  /**
   * Takes up what the store has, and what the file has that the store does not have yet. Where there is no file, or a
   * blank one, what a file declared before stays: a wrong working directory shall not take everything from all instances.
   *
   * @throws ConfigError where the two do not fit together
   */
  start(): Promise<void> {
    return this.#turns.run(async () => {
      const { loaded, tenantEnds } = this.#options;
      const file = splitFile(loaded, this.vault);
      // Other instances may start with the same file at the same time: one of them makes the revision.
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const { number, entries } = await this.revisions.readAll();
        this.#current.load(inFileOrder(entries, file.entries), number);
        const isAdopted = number > 0 && saysNothing(loaded);
        if (isAdopted || (await this.revisions.isNewestFile(file.hash))) {
          await tenantEnds.readAll();
          await this.#current.enforce(this.#current.tryOut([], 'start'), number);
          if (isAdopted)
            this.#options.news.tellOfAdoption(loaded, this.#current.layers.ofOwner('file').length, number);
          return;
        }
        const changes = diffEntries('file', this.#current.layers.ofOwner('file'), file.entries);
        const revision = this.#maker.number(fileRevision(file, loaded, changes));
        const tried = this.#current.tryOut(changes, 'start');
        const earlier = await this.revisions.findSameFile(revision);
        if (!(await this.revisions.append({ ...revision, restores: earlier }))) continue;
        await tenantEnds.readAll();
        await this.#current.enforce(tried, revision.number);
        this.#options.news.tellOfRevision(revision, earlier);
        return;
      }
      throw new Error('other instances on the store change the configuration all the time');
    });
  }

  /**
   * Reads the file again. Throws nothing: what is wrong with it is logged and noted, and everything stays as it was. What
   * the file is not to blame for (the store is away, this instance is behind, the API has what is in its way) has it tried
   * again by `lookForNewer`.
   */
  reloadFile(): Promise<void> {
    return this.#turns.run(() => {
      this.#file.askAgain();
      return this.#takeUpFile();
    });
  }

  /**
   * Makes a revision of what `plan` wants changed, puts it in force and resolves. At an instance that is behind, only what
   * takes something away is made.
   *
   * @throws ConfigError where the configuration would not be valid; GatewayError of `plan`, or `overloaded` of an instance that is behind
   */
  change(
    author: Author,
    plan: (layers: Layers) => readonly Change[],
    { alongside, urgency }: ChangeOptions = {},
  ): Promise<Outcome> {
    const { name, source } = author;
    const describe = (changes: readonly Change[]) => ({ author: name, source, documentHash: null, changes });
    return this.#turns.run(() => this.#maker.make(plan, describe, alongside), urgency);
  }

  /**
   * What `change` would do, without doing it.
   *
   * @throws ConfigError, GatewayError as `change` does
   */
  tryChange(plan: (layers: Layers) => readonly Change[]): Promise<Outcome> {
    return this.#turns.run(async () => {
      const behind = await this.#follow();
      if (behind) {
        const { newest, changes } = await planBehind(plan, behind, this.revisions, this.#current.context);
        return { revision: newest, changes };
      }
      const changes = plan(this.#current.layers).filter(isChange);
      this.#current.tryOut(changes, 'asked');
      this.#current.takeBack(changes);
      return { revision: this.#current.revision, changes };
    });
  }

  /**
   * Brings everything back to what it was at a revision, as a new one.
   *
   * @throws GatewayError `not_found`; `invalid_request` where secrets that were revoked would be valid again
   */
  async restore(number: number, author: string, withRevokedKeys: boolean): Promise<Outcome> {
    const plan = await planRestore(this.revisions, number, { withRevokedKeys, now: this.#options.now });
    return this.#turns.run(() =>
      this.#maker.make(plan, (changes) => ({
        author,
        source: 'restore',
        documentHash: null,
        changes,
        restores: number,
      })),
    );
  }

  /**
   * Follows what other instances have made, and takes up a file that could not be taken up before. Rejects never; what
   * cannot be followed is logged and noted once. Who asks again before the answer shares it: a store that hangs would
   * else have a line of them, which changes would wait behind.
   */
  lookForNewer(): Promise<void> {
    this.#look ??= this.#turns
      .run(() => this.#lookOnce())
      .finally(() => {
        this.#look = undefined;
      });
    return this.#look;
  }

  /**
   * Encrypts every stored credential under the newest secret, also in the revisions before. `history`: how many of their
   * changes became others; `unreadable`: how many credentials in them are encrypted under a secret that is not here.
   *
   * @throws GatewayError where there is no secret, or where one that something in force is encrypted under is not here
   */
  async rotateSecret(author: string): Promise<Outcome & { history: number; unreadable: number }> {
    const outcome = await this.change({ name: author, source: 'api' }, (layers) =>
      resealAll(layers, this.vault),
    );
    const unreadable: Finding[] = [];
    const history = await this.#turns.run(() =>
      this.revisions.reseal((entry) => this.vault.reseal(entry, unreadable)),
    );
    return { ...outcome, history, unreadable: unreadable.length };
  }

  /** Reads the files that credentials are in again. Rejects never: a file that is wrong changes nothing. */
  readCredentialFiles(): Promise<void> {
    return this.#turns.run(async () => {
      const { log } = this.#options;
      try {
        await this.#current.enforce(this.#current.tryOut([], 'given'), this.#current.revision);
        log.info({ event: 'credential_files_read' }, 'the files of credentials were read again');
      } catch (error) {
        this.#options.news.tellOfCredentialFile(error);
      }
    });
  }

  /** Has keys that are in no revision, and were changed here, in force as the store has them now. */
  takeUpKeys(): Promise<void> {
    return this.#turns.run(async () => {
      await this.#options.refreshKeys();
      await this.#current.recompile();
      this.#options.onMade();
    }, 'urgent');
  }

  /** Resolves when what is under way is done: `true`; or when so much time has passed: `false`. */
  settle(withinMs: number): Promise<boolean> {
    return this.#turns.settle(withinMs);
  }

  async #lookOnce(): Promise<void> {
    const { log, refreshKeys } = this.#options;
    try {
      // First: what is revoked is revoked also where a revision cannot be followed.
      if (await refreshKeys()) await this.#current.recompile();
      if (await this.#follow()) return;
    } catch (error) {
      if (this.#isStoreAway) return;
      this.#isStoreAway = true;
      log.error({ err: error }, 'the store does not tell whether there is a newer configuration');
      return;
    }
    if (this.#file.isDue(this.revision)) await this.#takeUpFile();
  }

  /** Gives why this instance is behind, where it is. */
  async #follow(): Promise<Behind | undefined> {
    const newer = await this.#follower.read();
    if (this.#isStoreAway) this.#options.log.info({}, 'the store is back');
    this.#isStoreAway = false;
    return this.#follower.takeUp(newer);
  }

  async #takeUpFile(): Promise<void> {
    const { path, context } = this.#options.loaded;
    if (path === null) return;
    let loaded: LoadedConfig;
    try {
      loaded = await openConfig({ ...context, configFile: path, cwd: '/' });
      if (loaded.isBlank) throw blankFile(loaded);
    } catch (error) {
      return this.#file.refuse(error);
    }
    try {
      const file = splitFile(loaded, this.vault);
      // What it writes out may be what was missing here.
      this.#follower.forgetPause();
      const plan = (layers: Layers) => {
        const changes = diffEntries('file', layers.ofOwner('file'), file.entries);
        refuseUnaware(changes, this.behind, this.layers);
        return changes;
      };
      await this.#maker.make(plan, (changes) => fileRevision(file, loaded, changes));
    } catch (error) {
      // An instance that is behind is refused what others have made, not its file.
      if (error instanceof ConfigError && !this.behind) this.#file.waitForOthers(error, this.revision);
      else this.#file.postpone(error);
      return;
    }
    this.#file.accept();
    this.#options.news.tellOfRestart(changedInstance(this.#instance, pickInstance(loaded.document)));
  }
}
