import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import { isOf } from '../tenants/owner.ts';
import type { ObjectKind, UpstreamObject } from '../tenants/upstream-objects.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { ObjectCall } from './object-call.ts';
import type { PlannedAttempt } from './plan.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import { sendJson } from './respond.ts';
import { ownerOf } from './snapshot.ts';

/** What describes a file or a batch is far smaller. */
export const MAX_OBJECT_BYTES = 4 * 1024 * 1024;

/** The files that a batch makes: its tenant's, as the batch is. */
const FILES_OF_BATCH = ['output_file_id', 'error_file_id'];

/** Relays what a provider says of a file or a batch, after the books say whose it is. */
export class ObjectRelay implements Receiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #planned: PlannedAttempt;
  readonly #object: ObjectCall;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    gateway: Gateway,
    call: Call,
    attempt: AttemptControl,
    planned: PlannedAttempt,
    object: ObjectCall,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#planned = planned;
    this.#object = object;
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_OBJECT_BYTES) throw notAnObject();
  }

  end(): void {
    const body = Buffer.concat(this.#chunks);
    const answer = tryParseJson(body.toString('utf8'));
    if (!isObject(answer) || typeof answer['id'] !== 'string') throw notAnObject();
    this.#note(answer, answer['id']).then(
      () => this.#attempt.run(() => this.#answer(body)),
      (thrown: unknown) =>
        this.#attempt.run(() => {
          throw thrown;
        }),
    );
  }

  /** Nothing is generated. */
  account(): void {}
  accountFailure(): void {}

  #answer(body: Buffer): void {
    this.#attempt.succeed();
    sendJson(this.#gateway, this.#call, body);
  }

  /** Also where the client has gone meanwhile: what was made is there. */
  async #note(answer: JsonObject, id: string): Promise<void> {
    const { objects } = this.#gateway;
    const { kind, does } = this.#object;
    if (does === 'delete') {
      if (answer['deleted'] === true) await objects.forget(this.#describe(kind, id, null));
      return;
    }
    const own = this.#describe(kind, id, null);
    await bindDescribed(objects, own, answer);
    if (does === 'create') {
      const bound = (await objects.ofAll([id])).some(
        (row) => isOf(row, own) && row.provider === own.provider && row.account === own.account,
      );
      if (!bound) throw idOfAnother();
    }
    if (kind === 'batch') await this.#gateway.batches.note(own, answer);
  }

  #describe(kind: ObjectKind, id: string, object: string | null): UpstreamObject {
    const { key } = this.#call.caller;
    const { target, account } = this.#planned;
    const place = { provider: target.upstream.name, account: account.name };
    return {
      id,
      kind,
      ...ownerOf(this.#call),
      key,
      ...place,
      created_at: this.#gateway.now(),
      expires_at: null,
      object,
      target: null,
    };
  }
}

/** Notes how a provider describes what is its owner's, and of a batch the files that it made. */
export async function bindDescribed(
  objects: Pick<Gateway['objects'], 'bind'>,
  own: UpstreamObject,
  described: JsonObject,
): Promise<void> {
  const made = own.kind === 'batch' ? FILES_OF_BATCH.map((field) => described[field]) : [];
  const files = made.filter((file) => typeof file === 'string');
  await objects.bind([
    { ...own, object: JSON.stringify(described) },
    ...files.map((id): UpstreamObject => ({ ...own, id, kind: 'file', object: null })),
  ]);
}

/** Bound to another tenant, which must not lose it; that its maker could never ask for it is to be told now. */
function idOfAnother(): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    'The provider gave it an id that it has given before: it cannot be kept. Send it again.',
  );
}

export function notAnObject(): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    'The provider sent something that describes no file or batch.',
  );
}
