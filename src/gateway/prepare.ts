import type { Readable } from 'node:stream';
import { appendAll } from '../conversation/append-all.ts';
import { CARRIED_MARKER } from '../conversation/carried-reasoning.ts';
import type { Conversation, DialectName } from '../conversation/conversation.ts';
import { disownReasoning } from '../conversation/disown-reasoning.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { writeWithLongNumbers } from '../conversation/long-numbers.ts';
import { NO_USAGE } from '../conversation/usage.ts';
import { type BridgedBody, type BridgedRequest, bridgeBody, bridgeRequest } from '../dialects/bridge.ts';
import { FUNCTION_WORDS, saysFunctions } from '../dialects/chat/function-call.ts';
import { fillDefaults } from '../dialects/default-parameters.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import { withSaidNames } from '../dialects/legal-names.ts';
import { dropBillingLine } from '../dialects/messages/billing-line.ts';
import { refuseThread } from '../dialects/messages/threads.ts';
import { parameterName } from '../dialects/parameters.ts';
import {
  COUNT_DIALECTS,
  EMBEDDING_DIALECTS,
  UPSTREAM_COUNTS,
  UPSTREAM_EMBEDDINGS,
} from '../dialects/registry.ts';
import { type FieldSpans, findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { withCutAnswers } from '../dialects/stops/cut-answers.ts';
import { withDefaults } from '../dialects/taken-defaults.ts';
import type { Target } from '../routing/target.ts';
import { keepBetas, knownBetas, withBodyBetas } from '../upstream/betas.ts';
import { rewriteBody } from '../upstream/body-fields.ts';
import type { Method } from '../upstream/connections.ts';
import { type Endpoint, findEndpoint } from '../upstream/endpoint.ts';
import { leaveOutFields, withSearchFlag } from '../upstream/lacked-fields.ts';
import { namedModel } from '../upstream/named-model.ts';
import type { Surface } from '../upstream/provider.ts';
import type { Operation } from '../usage/record.ts';
import type { Call } from './call.ts';
import { betasInBody, withCallersHeaders } from './callers-headers.ts';
import { checkEncoded, checkRelayed } from './check-also-named.ts';
import { encodeConversation } from './encode-conversation.ts';
import { exceedsStops } from './exceeds-stops.ts';
import { continuedPath, goOnFrom } from './go-on-from.ts';
import { parseBody } from './parse-body.ts';
import type { PlannedAttempt } from './plan.ts';
import { prepareCompletion } from './prepare-completion.ts';
import { askForRepair } from './repair-output.ts';
import type { TranslateAnswer } from './translate-body.ts';
import { translateGenerated } from './translate-generated.ts';
import { withholdBilling, withoutBilling } from './withhold-billing.ts';
import { COMPARED_PATH, withholdComparison } from './withhold-comparison.ts';

/** What one attempt sends, and how its answer is read. */
export interface UpstreamRequest {
  /** What is spoken there. */
  dialect: UpstreamDialect;
  path: string;
  /** POST where nothing is said. */
  method?: Method;
  headers: string[];
  body: Buffer | Readable | undefined;
  /** The answer is in the caller's own dialect and is relayed as it is. */
  passThrough: boolean;
  /** For whole answers that must become something else. */
  translate: TranslateAnswer;
}

/** A request in the target's dialect, before it is bytes. */
interface Encoded {
  body: JsonObject;
  dropped: string[];
  headers?: Record<string, string>;
  translate: TranslateAnswer;
  /** What the answer is read by, where that is not the dialect as all speak it. */
  dialect?: UpstreamDialect;
}

/**
 * Makes the request for a target: the caller's bytes with the model replaced where both sides speak the same
 * dialect, else the conversation in the target's dialect.
 *
 * @throws GatewayError `invalid_request` for what the target cannot express.
 */
export function prepareRequest(call: Call, planned: PlannedAttempt): UpstreamRequest {
  const { target, account } = planned;
  const { door } = call;
  const completion = door.completesText ? prepareCompletion(call, planned) : undefined;
  if (completion) {
    return { ...completion, translate: (answer) => translateGenerated(call, completion.dialect, answer) };
  }
  const endpoint = findEndpoint(target.upstream, account, {
    operation: door.operation,
    relaysAs: door.relaysAs,
    onlyRelays: door.onlyRelays,
    model: target.model,
    stream: call.stream,
    dialect: door.dialect.name,
  });
  if (!endpoint) {
    throw withoutOperation(call);
  }
  const { dialect, surface } = endpoint;
  const path = (call.begun && continuedPath(endpoint, target.model)) ?? endpoint.path;
  const sameDialect = door.dialect.name === dialect.name;
  const { thread } = call.spans;
  const asksInVain = thread !== undefined && surface.threads !== true;
  // Before anything is decoded: what it goes on from is not in the request.
  if (asksInVain) refuseThread(parseField(call.body, thread, 'thread'));
  const hasOwnForm =
    (door.operation === 'embed' && surface.embeddings !== undefined) ||
    (door.operation === 'count' && surface.counts !== undefined);
  const fixed = door.operation === 'count' ? (surface.countBody ?? surface.body) : surface.body;
  const passThrough =
    sameDialect &&
    !call.begun &&
    door.completesText !== true &&
    door.translatesAnswers !== true &&
    !hasOwnForm &&
    !needsEmulation(call, endpoint) &&
    !exceedsStops(call, target, endpoint);
  const withheld = sameDialect ? withholdComparison(call, planned) : undefined;
  // What does not go on for reasons that no codec knows of.
  const unknown: string[] = withheld ? [COMPARED_PATH] : [];
  const baseHeaders = withCallersHeaders(call, planned, surface, unknown);
  call.dropped = [];
  call.renamed = undefined;
  call.droppedOfAnswer = undefined;
  if (passThrough && !call.disownsReasoning && !carriesReasoning(call)) {
    checkRelayed(call, target);
    // Its bytes say it. Bodies can be large: it is parsed again should another attempt need it.
    call.request = undefined;
    const body = passBytes(call, target, endpoint);
    const cut = withholdBilling(call, surface, body);
    if (cut) unknown.push(cut.place);
    const set = withheld || cut ? { ...fixed, ...withheld, ...(cut && { system: cut.system }) } : fixed;
    const fields = asksInVain ? { ...set, thread: undefined } : set;
    // Last: what is written anew may have what is to be left out.
    const written = fields ? rewriteBody(body, fields) : body;
    const left = leaveOut(surface, target.model, written, unknown);
    if (unknown.length > 0) call.dropped = [...call.dropped, ...unknown];
    return {
      dialect,
      path,
      headers: withSearchFlag(baseHeaders, surface, left),
      body: left,
      passThrough,
      translate: (answer) => translateGenerated(call, dialect, answer),
    };
  }
  const encode = ENCODERS[door.operation];
  if (!encode) throw new Error(`${door.operation} cannot be translated`);
  const encoded = encode(call, target, endpoint);
  checkEncoded(call, target, dialect.name, encoded.body);
  const betas = betasInBody(call, target, surface);
  const flags = betas ? knownBetas(call.forward, betas, unknown) : [];
  const flagged = withFlags(encoded.body, flags);
  const encodedHeaders = knownHeaders(encoded.headers, surface, unknown);
  call.dropped = [...encoded.dropped, ...unknown];
  const headers = encodedHeaders ? [...baseHeaders, ...Object.entries(encodedHeaders).flat()] : baseHeaders;
  // What is left out by being undefined, JSON leaves out.
  const written = Buffer.from(writeWithLongNumbers({ ...flagged, ...fixed, ...withheld }, call.request));
  const body = leaveOut(surface, target.model, written, call.dropped);
  return {
    dialect: encoded.dialect ?? dialect,
    path,
    headers: withSearchFlag(headers, surface, body),
    body,
    passThrough,
    translate: encoded.translate,
  };
}

/** A body without what a cloud refuses of its dialect; what that is, in the caller's words, is added to `dropped`. */
function leaveOut(surface: Surface, model: string, body: Buffer, dropped: string[]): Buffer {
  if (!surface.lacksFields) return body;
  const left = leaveOutFields(body, surface, model);
  appendAll(dropped, left.dropped);
  return left.body;
}

/** What Bedrock is to count stands inside of the body (`ConverseTokensRequest`), and its flags with it. */
function withFlags(body: JsonObject, flags: readonly string[]): JsonObject {
  const { input } = body;
  const counted = isObject(input) ? input['converse'] : undefined;
  return isObject(counted)
    ? { ...body, input: { converse: withBodyBetas(counted, flags) } }
    : withBodyBetas(body, flags);
}

/** Headers without the flags that would be refused there; what is left out is added to `dropped`. */
function knownHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  surface: Surface,
  dropped: string[],
): Readonly<Record<string, string>> | undefined {
  return headers && surface.betas ? keepBetas(headers, surface, dropped) : headers;
}

/** Every other operation is relayed and never gets here. */
const ENCODERS: Partial<Record<Operation, (call: Call, target: Target, endpoint: Endpoint) => Encoded>> = {
  generate: encodeGenerate,
  embed: encodeEmbed,
  count: encodeCount,
};

/** The caller's bytes as this provider takes them: nothing but the model changes where it has no quirks. */
function passBytes(call: Call, target: Target, { model, quirked }: Endpoint): Buffer {
  const { passThrough, operation, dialect } = call.door;
  const defaults = operation === 'generate' ? target.defaults?.fields[dialect.name] : undefined;
  const filled = defaults && fillDefaults(call.body, defaults);
  const given = filled?.body ?? call.body;
  const wanted = call.snapshot.fieldsOf.get(passThrough) ?? passThrough.fields;
  const said = given === call.body ? call.spans : findTopLevelFields(given, wanted);
  const bridged = operation !== 'embed' ? bridgeTo(call, target, given, said) : undefined;
  const taken = bridged?.body ?? given;
  const unsaid = [...(bridged?.dropped ?? []), ...(filled?.dropped ?? [])];
  if (bridged) call.renamed = bridged.renamed;
  const places = bridged ? findTopLevelFields(taken, wanted) : said;
  if (!quirked) {
    call.dropped = unsaid;
    return passThrough.prepareRequest(taken, places, { model, stream: call.stream });
  }
  const { body, dropped, renamed } =
    operation === 'generate'
      ? quirked.rewriteRequest(taken, places, target.model)
      : quirked.rewriteEmbeddings(taken, target.model);
  call.dropped = unsaid.length > 0 ? [...dropped, ...unsaid] : dropped;
  if (renamed) call.renamed = { ...call.renamed, ...renamed };
  const spans = body === taken ? places : findTopLevelFields(body, passThrough.fields);
  const asksNoUsage = !quirked.takesStreamOptions;
  return passThrough.prepareRequest(body, spans, { model, stream: call.stream, asksNoUsage });
}

/** What of a request the model of a target takes otherwise. Its codec knows it by the name that it is encoded for. */
function bridgeTo(
  { door }: Call,
  { upstream, model }: Target,
  body: Buffer,
  places: FieldSpans,
): BridgedBody | undefined {
  const { bridge } = door.passThrough;
  if (!bridge) return undefined;
  return bridgeBody(bridge, body, places, namedModel(upstream.declaration, door.dialect.name, model));
}

/**
 * The same of a request that is encoded again in the dialect that it came in, or, for Claude, in Converse, whose codec hands on what callers of the
 * Messages API say.
 */
function bridgeParsed(
  { door }: Call,
  { upstream, model }: Target,
  dialect: DialectName,
  request: JsonObject,
): BridgedRequest | undefined {
  const { bridge } = door.passThrough;
  const isSpoken = door.dialect.name === (dialect === 'converse' ? 'messages' : dialect);
  if (!bridge || !isSpoken) return undefined;
  return bridgeRequest(bridge, request, namedModel(upstream.declaration, dialect, model));
}

const MARKER = Buffer.from(CARRIED_MARKER);

/** Tool-call ids that carry another provider's reasoning must be read and cleaned before anyone gets them. */
function carriesReasoning(call: Call): boolean {
  const { operation, passThrough } = call.door;
  return operation !== 'embed' && call.body.includes(passThrough.carriedMarker ?? MARKER);
}

/**
 * Tools that take free text, and calls of them, are functions there; a choice among some of the tools is said by leaving out the others;
 * functions in their deprecated form are tools.
 */
function needsEmulation(call: Call, { quirked }: Endpoint): boolean {
  const { door, words } = call;
  if (!quirked || door.operation !== 'generate') return false;
  return (
    (quirked.emulatesCustomTools && words.has('custom')) ||
    (quirked.narrowsTools && words.has('allowed_tools')) ||
    (quirked.writesFunctionsAsTools && words.hasAnywhere(FUNCTION_WORDS) && callsFunctions(call))
  );
}

function callsFunctions(call: Call): boolean {
  call.request ??= parseBody(call.body);
  return saysFunctions(call.request);
}

function encodeGenerate(call: Call, target: Target, endpoint: Endpoint): Encoded {
  const { dialect, model } = endpoint;
  call.request ??= parseBody(call.body);
  const bridged = bridgeParsed(call, target, dialect.name, call.request);
  const conversation = call.door.dialect.decodeRequest(bridged?.request ?? call.request, call.address ?? {});
  conversation.stream = call.stream;
  if (target.defaults) {
    const { parameters } = target.defaults;
    conversation.parameters = withDefaults(conversation.parameters, parameters, dialect.name, model);
  }
  if (call.disownsReasoning) disownReasoning(conversation, dialect.name);
  if (call.begun) goOnFrom(call, call.begun, conversation, endpoint, target.model);
  if (call.repairs) askForRepair(call.repairs, conversation);
  const billing = withoutBilling(call, endpoint.surface, conversation);
  const encoded = encodeConversation(call, target, conversation, dialect, dialect.name);
  const { body, dropped, toolNames, cutAt, ...rest } = encoded;
  if (bridged) call.renamed = bridged.renamed;
  if (cutAt) call.renamed = { ...call.renamed, [parameterName(conversation, 'stop')]: 'cut' };
  const named = toolNames ? withSaidNames(dialect, toolNames) : dialect;
  const read = cutAt ? withCutAnswers(named, cutAt, conversation.parameters.n) : named;
  return {
    ...rest,
    dialect: read,
    dropped: [...new Set([...billing, ...(bridged?.dropped ?? []), ...dropped])],
    body: withModel(body, model),
    translate: (answer) => translateGenerated(call, read, answer),
  };
}

/** Called by the name that the model has there. */
function withModel(body: JsonObject, model: string): JsonObject {
  return body['model'] === undefined ? body : { ...body, model };
}

/** What there is instead of a model that cannot do what a door is for. */
const INSTEAD: Partial<Record<string, string>> = {
  embed:
    'embeddings. Name an embedding model, such as text-embedding-3-small of OpenAI or gemini-embedding-001 of Google',
  compact:
    'compaction of a conversation. Name a model of OpenAI, or have the conversation summed up by a call of its own',
  count: 'count of tokens. Name a model of another provider',
};

function withoutOperation({ model, door }: Call): GatewayError {
  const instead =
    INSTEAD[door.relaysAs ?? ''] ??
    INSTEAD[door.operation] ??
    'such operation, as far as this gateway knows. Name a model of another provider';
  return new GatewayError(
    'invalid_request',
    `The model '${model}' has no ${instead}; GET /v1/models lists the models of your key.`,
    { param: 'model', code: 'unsupported_operation' },
  );
}

function encodeEmbed(call: Call, target: Target, { dialect, model, quirked, surface }: Endpoint): Encoded {
  const caller = call.door.embeddings ?? EMBEDDING_DIALECTS[call.door.dialect.name];
  const provider = UPSTREAM_EMBEDDINGS[surface.embeddings?.(target.model) ?? dialect.name];
  if (!caller || !provider) throw new Error(`no embedding codec for ${target.name}, which has the operation`);
  const { request, encodingFormat } = caller.decodeRequest(parseBody(call.body));
  const encoded = provider.encodeRequest(request, target.model);
  const { body, ...rest } = quirked?.encodeEmbeddings(encoded, target.model) ?? encoded;
  return {
    ...rest,
    body: withModel(body, model),
    translate: (answer, headers) => {
      const embeddings = provider.decodeResponse(answer, request, headers);
      return {
        text: JSON.stringify(caller.encodeResponse({ ...embeddings, model: target.model }, encodingFormat)),
        usage: embeddings.usage,
      };
    },
  };
}

function encodeCount(call: Call, target: Target, { dialect, model, surface }: Endpoint): Encoded {
  const caller = COUNT_DIALECTS[call.door.dialect.name];
  const provider = UPSTREAM_COUNTS[surface.counts ?? dialect.name];
  if (!caller || !provider) throw new Error(`no way to count for ${target.name}, which has the operation`);
  const request = parseBody(call.body);
  const bridged = bridgeParsed(call, target, dialect.name, request);
  const conversation = caller.decodeRequest(bridged?.request ?? request, call.address ?? {});
  if (call.disownsReasoning) disownReasoning(conversation, dialect.name);
  const billing = withoutBilling(call, surface, conversation);
  const { body, dropped, ...rest } = encodeConversation(call, target, conversation, provider, dialect.name);
  // What else a provider tells of a count is in the words of its dialect: the caller's own gets all of it.
  const isOwn = call.door.dialect.name === dialect.name;
  return {
    ...rest,
    dropped: [...billing, ...dropped],
    body: withModel(body, model),
    translate: (answer) => {
      const tokens = provider.decodeResponse(answer);
      return { text: JSON.stringify(isOwn ? answer : caller.encodeResponse(tokens)), usage: NO_USAGE };
    },
  };
}

/**
 * The conversation whose tokens a call wants counted.
 *
 * @throws GatewayError `invalid_request`
 */
export function decodeCount(call: Call): Conversation {
  const caller = COUNT_DIALECTS[call.door.dialect.name];
  if (!caller) throw new Error(`no way to be asked for a count in ${call.door.dialect.name}`);
  const conversation = caller.decodeRequest(parseBody(call.body), call.address ?? {});
  // Who reads it counts it itself.
  if (conversation.dialect === 'messages') dropBillingLine(conversation);
  return conversation;
}
