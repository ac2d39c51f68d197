import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { answerEmbedding } from './bedrock/embeddings.ts';
import { bedrockError, invalid, throwFailure } from './bedrock/errors.ts';
import { BEDROCK_MODELS } from './bedrock/models.ts';
import { readConverseRequest } from './bedrock/reading.ts';
import { checkConverseRequest } from './bedrock/rules.ts';
import { writeAnswer, writeStream } from './bedrock/writing.ts';
import { runModel, totalInput } from './fake-model.ts';
import { type FakeOptions, type FakeProvider, type IncomingCall, startFake } from './fake-provider.ts';
import { jsonReply, type Reply, streamReply } from './fake-reply.ts';
import { createSigner, type Signer } from './signatures.ts';

const HEADERS = { 'x-amzn-requestid': '00000000-0000-4000-8000-000000000000' };

interface Server {
  options: FakeOptions;
  apiKey: string;
  signer: Signer;
  nextCallId: () => string;
}

const ROUTE = /^\/model\/(.+)\/(converse|converse-stream|count-tokens|invoke)$/;

/**
 * A strict Bedrock runtime: `POST /model/ID/converse` and `/model/ID/converse-stream`, the latter in binary frames, and
 * `/model/ID/invoke` of embedding models, `/model/ID/count-tokens` of Claude. It
 * refuses what the real API refuses, with its status and words, and answers the rest with the fake model's script
 * (`fake-script.ts`).
 *
 * `apiKey` is a Bedrock API key, sent as a bearer token. A SigV4 signature is taken too where it has all its parts;
 * whether it is right is not looked at here.
 */
export function startFakeBedrock(options: FakeOptions = {}): Promise<FakeProvider> {
  const apiKey = options.apiKey ?? 'bedrock-api-key-fake';
  let calls = 0;
  const server: Server = {
    options,
    apiKey,
    signer: createSigner(apiKey),
    nextCallId: () => {
      calls += 1;
      return `tooluse_${String(calls).padStart(22, '0')}`;
    },
  };
  const answer = (call: IncomingCall): Reply => {
    checkCredential(call, apiKey);
    const [, model = '', operation] = ROUTE.exec(call.path) ?? [];
    if (operation === undefined) throw bedrockError(404, 'UnknownOperationException', 'Not Found');
    if (call.method !== 'POST') {
      throw bedrockError(405, 'UnknownOperationException', 'Method Not Allowed');
    }
    if (operation === 'invoke') return answerEmbedding(parseBody(call), model);
    if (operation === 'count-tokens') return answerCount(call, server, model);
    return answerConverse(call, server, model, operation === 'converse-stream');
  };
  return startFake({ basePath: '', answer }, options, apiKey);
}

/** Bedrock user guide ("Monitor your token usage …"): Claude by its own name alone. */
function answerCount(call: IncomingCall, server: Server, model: string): Reply {
  const body = parseBody(call);
  const { converse } = isObject(body['input']) ? body['input'] : {};
  const outer = Object.keys(body).find((key) => key !== 'input');
  if (outer !== undefined)
    throw invalid(`Malformed input request: extraneous key [${outer}] is not permitted`);
  if (!model.startsWith('anthropic.claude-') || model.includes('uncounted'))
    throw invalid("The provided model doesn't support counting tokens.");
  const request = checkConverseRequest(converse ?? null, model, server.signer);
  const other = Object.keys(request).find(
    (key) => !['messages', 'system', 'toolConfig', 'additionalModelRequestFields'].includes(key),
  );
  if (other !== undefined)
    throw invalid(`Malformed input request: extraneous key [${other}] is not permitted`);
  const answer = runModel(readConverseRequest(request, model), call.behaviour);
  throwFailure(answer.disruption);
  return jsonReply({ inputTokens: totalInput(answer.usage) }, answer.disruption, HEADERS);
}

function answerConverse(call: IncomingCall, server: Server, model: string, isStream: boolean): Reply {
  const body = parseBody(call);
  if (![...BEDROCK_MODELS, ...(server.options.models ?? [])].includes(model)) {
    // Recorded.
    throw invalid('The provided model identifier is invalid.');
  }
  const request = checkConverseRequest(body, model, server.signer);
  const answer = runModel(readConverseRequest(request, model), call.behaviour);
  throwFailure(answer.disruption);
  const envelope = { model, request, signer: server.signer, nextCallId: server.nextCallId };
  const reply = isStream
    ? streamReply(writeStream(answer, envelope), answer.disruption, {
        ...HEADERS,
        'content-type': 'application/vnd.amazon.eventstream',
      })
    : jsonReply(writeAnswer(answer, envelope), answer.disruption, HEADERS);
  return { ...reply, usage: answer.usage };
}

const SIGV4 =
  /^AWS4-HMAC-SHA256 Credential=[^/,\s]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}$/;

/** AWS's "Common errors", and "API keys" of the Bedrock user guide. */
function checkCredential({ headers }: IncomingCall, apiKey: string): void {
  const authorization = headers['authorization'];
  if (authorization === undefined) {
    throw bedrockError(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (authorization.startsWith('Bearer ')) {
    if (authorization === `Bearer ${apiKey}`) return;
    throw bedrockError(
      403,
      'AccessDeniedException',
      'Authentication failed: Please make sure your API Key is valid.',
    );
  }
  const signed = SIGV4.exec(authorization)?.[1]?.split(';') ?? [];
  if (!signed.includes('host') || !signed.includes('x-amz-date') || !headers['x-amz-date']) {
    throw bedrockError(
      403,
      'IncompleteSignatureException',
      'The request signature does not conform to AWS standards.',
    );
  }
}

function parseBody({ headers, rawBody }: IncomingCall): JsonObject {
  if (!headers['content-type']?.startsWith('application/json')) {
    throw bedrockError(415, 'UnsupportedMediaTypeException', 'The content type must be application/json.');
  }
  const body = tryParseJson(rawBody.toString('utf8'));
  if (isObject(body)) return body;
  throw bedrockError(400, 'SerializationException', 'The request body is not a JSON object.');
}
