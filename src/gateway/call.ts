import type { ServerResponse } from 'node:http';
import { AnswerTap } from '../captures/capture.ts';
import type { Completion } from '../conversation/completion.ts';
import type { ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import type { InvalidOutput } from '../conversation/invalid-output.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import type { HeldReference } from '../dialects/held-references.ts';
import type { OutputBound } from '../dialects/output-bound.ts';
import type { FieldSpans } from '../dialects/request-fields.ts';
import { SeenWords } from '../dialects/seen-words.ts';
import type { Share } from '../overload/share.ts';
import type { Refusal, Reservation } from '../quotas/reservation.ts';
import type { Whose } from '../rollouts/observation.ts';
import type { Hedging } from '../routing/hedging.ts';
import type { Target } from '../routing/target.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import type { StartNote, Waiting } from '../usage/journal.ts';
import type { AttemptRecord, SavedUse, UsageRecord } from '../usage/record.ts';
import type { RolloutNote, Scores } from '../usage/rollout-note.ts';
import type { AnswerEnds } from './answer-ends.ts';
import type { BegunAnswer } from './begun-answer.ts';
import type { ModelRollout } from './choose-side.ts';
import type { Door } from './door.ts';
import type { ObjectCall } from './object-call.ts';
import type { PromptRequest, PromptSide } from './prompt-side.ts';
import type { Caller, Snapshot } from './snapshot.ts';
import type { StreamCommit } from './stream-commit.ts';
import type { Upload } from './upload.ts';

/** What a call's URL says where its dialect keeps that out of the body. */
export interface CallAddress {
  model: string;
  stream: boolean;
}

/** One client request on its way through the gateway: what the steps know of it and leave for each other. */
export class Call implements Waiting {
  readonly id: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  /** Monotonic milliseconds, for durations. */
  readonly startedMs: number;
  /** Of one that names a prompt as its model, the prompt's from its admission on. */
  door: Door;
  /** The configuration that the call began with; it keeps it to its end. */
  readonly snapshot: Snapshot;
  /** The same: who may have the prompt's model called. */
  caller: Caller;
  /** What the client sent; with the earlier turns that it only named. */
  body: Buffer;
  /** The body of a call that is handed on while it arrives; `body` is empty then. */
  readonly upload: Upload | undefined;
  /** What it is about, where it calls no model. */
  readonly object: ObjectCall | undefined;
  readonly response: ServerResponse;
  readonly address: CallAddress | undefined;
  /** Headers that say how the body is meant: they go with it to a provider of the same dialect. */
  readonly forward: Readonly<Record<string, string>> | undefined;

  model: string | undefined;
  stream = false;
  spans: FieldSpans = {};
  /** Words that its body holds, as far as any step asks for them. */
  words = new SeenWords();
  /** The client asked for usage in its stream (chat `stream_options.include_usage`). */
  includeUsage = false;

  /** The body, parsed, of a call that is translated: answers of some dialects repeat parts of it. */
  request: JsonObject | undefined;
  /** The body as the client sent it, parsed, where `body` is another: this is what answers repeat. */
  sent: JsonObject | undefined;
  /** The answer is to be kept, so that the client can go on from it. */
  keepsAnswer = false;
  /** The one account of the one provider that keeps what the call goes on from. */
  pinned: PinnedAccount | undefined;
  /** `provider/model-version`: what answered the turn that it goes on from, where that is known. */
  began: string | undefined;
  /** Files that it may name where only their provider reads their ids: in texts, and in addresses of its own. */
  checkedFiles: Set<string> | undefined;
  /** The account that can compare it with the earlier request that it names, where that was its tenant's. */
  comparable: Pick<UpstreamObject, 'provider' | 'account'> | undefined;
  /** What it names that is to be its tenant's once a provider accepts the call. */
  toClaim: HeldReference[] | undefined;
  /** The conversation of its tenant's that it goes on in. */
  goesOnIn: HeldReference | undefined;
  /** What it leaves behind is being noted. Its answer ends after that; the promise is never rejected. */
  noting: Promise<void> | undefined;

  /** Its place among the calls that run, from there to its end. */
  place: Share | undefined;
  /** How long it waited for that. */
  queuedMs = 0;

  /** What it took of its limits, where it has any. */
  reservation: Reservation | undefined;
  /** The one that it did not fit into. */
  refusal: Refusal | undefined;

  /** All that were made for it, also beside each other. */
  readonly attempts: AttemptRecord[] = [];
  /** The newest of those that leave on it what they find: the fields from here to `answeredMs` are this one's. */
  attempt: AttemptRecord | undefined;
  target: Target | undefined;
  /** What the target of the newest attempt speaks. */
  spoken: UpstreamDialect | undefined;
  /** What the target could not be told of the request. */
  dropped: string[] = [];
  /** What it was told by another name: by what the client said. */
  renamed: Readonly<Record<string, string>> | undefined;
  /** What the client could not be told of the answer; of a stream, so far. */
  droppedOfAnswer: string[] | undefined;
  usage: Usage | undefined;
  /** The provider's whole answer, kept where it did not say what it used: it is counted after it was sent. */
  answer: Buffer | undefined;
  /** How the provider says that the newest answer ended, where its words are not the client's and something is to look at it. */
  ends: AnswerEnds | undefined;
  firstTokenMs: number | undefined;
  /** What asking again would have come to, where an earlier answer of its prompt answers it. */
  saved: SavedUse | undefined;
  /** Monotonic milliseconds: when the newest attempt was sent and when its answer began. */
  sentMs = 0;
  answeredMs = 0;
  /** Further attempts that it may make after the first. */
  retries = 0;
  /** How long it may wait for a place to be back, where all are down. */
  recoveryMs = 0;
  /** The side that it is on, where its model or its prompt is in a rollout. */
  rollout: CallSide | undefined;
  /** Has another version of its prompt answer where its own does not: gives whether that one tries. */
  answerInstead: ((thrown: unknown) => boolean) | undefined;
  /** The provider has refused the reasoning of its history: that is another's, and goes without. */
  disownsReasoning = false;
  /** Its model's config wants answers that break off gone on with, and its own may be. */
  continues = false;
  /** What its client has of an answer that broke off, and that another attempt is to go on with. */
  begun: BegunAnswer | undefined;
  /** Answers that were not what its door gives: the next attempt is told of them. */
  repairs: InvalidOutput[] | undefined;
  /** Keeps the stream of that open as long as no attempt says anything. */
  keptOpen: StreamCommit | undefined;
  /** A refusal for the provider's content policy, also one in the form of an answer, sends it to targets of their own. */
  divertsBlocked = false;
  /** Learns from it when calls of its model are slow. */
  hedging: Hedging | undefined;
  /** When a second attempt may be made beside its first: milliseconds after that was sent. */
  hedgeAfterMs: number | undefined;
  /** Bytes of the answer have gone to the client: from here on nothing is retried. */
  committed = false;
  settled = false;
  /** Told of its record when it is settled; only of calls that no client made. */
  onSettled: ((record: UsageRecord) => void) | undefined;
  /** What its client gets, where the tenant has that kept, or a rollout looks at it. */
  tap: AnswerTap | undefined;
  /** Its note in the journal, from its first upstream request on. */
  started: StartNote | undefined;
  /** About how many tokens its text comes to, once that was looked at. */
  inputEstimate: number | undefined;
  /** What it may generate where it names no limit, as its route says. */
  unsaidOutput: number | undefined;
  /** The most that it may generate, once that was read. */
  outputBound: OutputBound | undefined;
  /** What was set aside for it; a call that the gateway's end cuts off is recorded at this cost. */
  reservedCostMicroUsd: number | null = null;
  /** The end of its answer, which waits for the record to be in the journal. */
  last: Buffer | string | undefined;
  lastEncoding: BufferEncoding = 'utf8';
  cancelled = false;
  /** Its place among the calls in flight. */
  slot = 0;
  /** The attempt that is under way. */
  running: RunningAttempt | undefined;
  /** The copy that its second attempt runs on, where that is the one that answers. */
  acting: Call | undefined;
  /** Of such a copy: what it is of. */
  origin: Call | undefined;

  constructor(options: {
    id: string;
    startedAt: number;
    startedMs: number;
    door: Door;
    snapshot: Snapshot;
    caller: Caller;
    body: Buffer;
    upload?: Upload | undefined;
    object?: ObjectCall | undefined;
    response: ServerResponse;
    address?: CallAddress | undefined;
    forward?: Readonly<Record<string, string>> | undefined;
  }) {
    this.id = options.id;
    this.startedAt = options.startedAt;
    this.startedMs = options.startedMs;
    this.door = options.door;
    this.snapshot = options.snapshot;
    this.caller = options.caller;
    this.tap = options.caller.capture && new AnswerTap();
    this.body = options.body;
    this.upload = options.upload;
    this.object = options.object;
    this.response = options.response;
    this.address = options.address;
    this.forward = options.forward;
  }

  /**
   * A copy for an attempt that runs beside the one that it has: what attempts leave on their call, each leaves on its own. It is still one
   * call: it has one list of attempts, one client and one record, and whoever settles the copy settles the call.
   */
  fork(): Call {
    return Object.assign(new Call(this), this, {
      ...{ attempt: undefined, target: undefined, spoken: undefined, request: undefined, noting: undefined },
      ...{ dropped: [], renamed: undefined, droppedOfAnswer: undefined, usage: undefined, answer: undefined },
      ...{ ends: undefined, firstTokenMs: undefined, sentMs: 0, answeredMs: 0, running: undefined },
      // What another attempt goes on with is not known to two.
      continues: false,
      // Only first attempts tell how slow a model is.
      ...{ hedging: undefined, tap: this.tap && new AnswerTap(), origin: this },
    });
  }

  /** Goes on as what another version of its prompt makes of it: it is still one call, with the attempts that were made. */
  become({ door, body, caller }: PromptRequest): void {
    Object.assign(this, {
      ...{ door, body, caller, words: new SeenWords(), request: undefined, dropped: [], renamed: undefined },
      ...{ droppedOfAnswer: undefined, answer: undefined, firstTokenMs: undefined, repairs: undefined },
      ...{ continues: false, hedging: undefined, hedgeAfterMs: undefined, inputEstimate: undefined },
      ...{ unsaidOutput: undefined, outputBound: undefined, disownsReasoning: false, acting: undefined },
    });
  }

  /** The record is in the journal: the end of the answer may go. */
  proceed(): void {
    const { response, last } = this;
    this.last = undefined;
    if (!response.destroyed) response.end(last, this.lastEncoding);
  }
}

/** The side of a rollout that a call is on. */
export interface CallSide extends Pick<RolloutNote, 'name'>, Whose {
  readonly isWatched: boolean;
  /** What its record says of it, once there is one. */
  note?: RolloutNote;
  /** Another target than the stable was to be asked first. */
  isElsewhere?: boolean;
  /** The number of the release that its side is. */
  release?: number | undefined;
  /** Absent of a judge's call, which is of no side. */
  candidate?: Target;
  /** The stable target. */
  stable?: Pick<Target, 'name' | 'account'>;
  /** What copies of it go by; absent of a copy. */
  moved?: ModelRollout;
  /** Where it is the prompt that moves. */
  ofPrompt?: PromptSide;
  /** Of a judge's call: reads its scores. */
  readScores?: (answer: Completion) => Scores | undefined;
}

/** An account by its name and its provider's, and what is kept there. */
export interface PinnedAccount {
  provider: string;
  account: string;
  /** What keeps a call there, where it is named, and the code of the error where its model does not lead there. */
  what: string;
  param: string;
  code: string;
  /** The error instead, where it has one of its own. */
  refuse?: (() => GatewayError) | undefined;
}

/** What others may do to an attempt. */
export interface RunningAttempt {
  /** The client has gone: give up, there is nobody to tell. */
  abandon(reason: Error): void;
  /** End it with an error that the client is told. */
  fail(error: GatewayError): void;
}

export type Outcome = 'ok' | ErrorKind;
