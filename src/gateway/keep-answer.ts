import type { Part } from '../conversation/conversation.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { MadeIds } from '../dialects/pass-through.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { noteLeftBehind } from './note-held.ts';
import { ownerOf } from './snapshot.ts';

/**
 * Keeps a translated answer, so that the client can go on from it. To be called before the answer's last byte is sent:
 * it is found from here on.
 */
export function keepAnswer(gateway: Gateway, call: Call, answer: JsonObject | undefined): void {
  if (answer && isKeptByProvider(call)) noteMadeIds(gateway, call, call.door.passThrough.madeIds?.(answer));
  const id = answer?.['id'];
  if (!call.keepsAnswer || !answer || typeof id !== 'string') return;
  if (isKeptByProvider(call)) {
    noteKeptAnswer(gateway, call, id);
    return;
  }
  if (!call.snapshot.responses.store) return;
  const { body, spans } = call;
  const input = spans['input'] ? body.toString('utf8', spans['input'].start, spans['input'].end) : 'null';
  gateway.responses.keep({ ...describeKept(gateway, call, id), where: 'here', input, response: answer });
}

/** Notes which account has an answer that its provider keeps itself. To be called before the client knows its id. */
export function noteKeptAnswer(gateway: Gateway, call: Call, id: string | undefined): void {
  const account = call.attempt?.account;
  if (!call.keepsAnswer || id === undefined || account === undefined) return;
  gateway.responses.keep({ ...describeKept(gateway, call, id), where: 'provider', account });
}

/**
 * Notes what later calls of the tenant can name of an answer that its provider keeps. To be called before the client
 * has the whole answer. Containers live on also where the answer is not kept.
 */
export function noteMadeIds(gateway: Gateway, call: Call, made: MadeIds | undefined): void {
  const account = call.attempt?.account;
  if (!made || account === undefined) return;
  for (const id of made.items) noteKeptAnswer(gateway, call, id);
  const provider = call.target?.upstream.name ?? '';
  noteLeftBehind(gateway, call, { provider, account, target: call.target?.name ?? null }, [
    ...made.containers.map((id) => ({ kind: 'container' as const, id })),
    ...(made.audio ?? []).map((id) => ({ kind: 'audio' as const, id })),
    ...(made.threads ?? []).map((id) => ({ kind: 'thread' as const, id })),
    ...(made.continuations ?? []).map((id) => ({ kind: 'continuation' as const, id })),
    ...(made.compared ?? []).map((id) => ({ kind: 'compared' as const, id })),
  ]);
}

/** The same of what is said in a stream that is translated between two sides of one dialect. */
export function noteSpoken(gateway: Gateway, call: Call, part: Part): void {
  if (part.type !== 'audio' || part.extra?.dialect !== 'chat' || !isKeptByProvider(call)) return;
  const { id } = part.extra.fields;
  if (typeof id === 'string') noteMadeIds(gateway, call, { items: [], containers: [], audio: [id] });
}

function describeKept(gateway: Gateway, call: Call, id: string) {
  const { caller, snapshot, target } = call;
  const createdAt = gateway.now();
  const expiresAt = createdAt + snapshot.responses.retentionMs;
  return { id, ...ownerOf(call), key: caller.key, createdAt, expiresAt, target: target?.name ?? '' };
}

/** Whether an answer is worth looking into for what later calls can name. */
export function leavesIds({ door, spans }: Call): boolean {
  return door.passThrough.leavesIds?.(spans) ?? true;
}

/** Also an answer that was translated between two sides of one dialect has the id that its provider gave it. */
function isKeptByProvider({ spoken, door }: Call): boolean {
  return spoken?.name === door.dialect.name;
}

/**
 * The id of an answer that may be kept here is ours: what providers of other dialects call theirs need not be unique. `given`: by its
 * provider, empty where it has none.
 */
export function nameAnswer(call: Call, given: string): string {
  const { door, id } = call;
  if (given !== '' && isKeptByProvider(call) && door.completesText !== true) return given;
  if (door.keepsAnswers === true && !isKeptByProvider(call))
    return `resp_${id.replace(/^req_/, '').replaceAll('-', '')}`;
  const name = given || id;
  return door.dialect.answerId?.(name) ?? name;
}

/** What an answer repeats of its request. */
export function repeatedRequest({ door, sent, request, snapshot }: Call): JsonObject | undefined {
  const repeated = sent ?? request;
  if (door.keepsAnswers !== true || snapshot.responses.store || !repeated) return repeated;
  return { ...repeated, store: false };
}
