import { isObject, tryParseJson } from '../../src/conversation/json.ts';
import { invalid } from './anthropic/errors.ts';
import { createAnthropic } from './fake-anthropic.ts';
import { createGemini } from './fake-gemini.ts';
import { type FakeOptions, type FakeProvider, type IncomingCall, startFake } from './fake-provider.ts';
import type { Reply } from './fake-reply.ts';
import { googleError } from './gemini/errors.ts';

const PLACE = '/projects/my-project/locations/europe-west4/publishers';
const GEMINI = new RegExp(
  `^/v1beta1${PLACE}/google/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$`,
);
const CLAUDE = new RegExp(`^/v1${PLACE}/anthropic/models/([^/:]+):(rawPredict|streamRawPredict)$`);

/**
 * Vertex AI in `europe-west4` with the models of Google and Anthropic behind it, by the fake model's script. `apiKey` is an
 * access token. (`fake-vertex.ts` is strict about tokens.) Sources: the addresses of `@google/genai` and
 * `@anthropic-ai/vertex-sdk`; what Claude's body is there, Anthropic's documentation ("Claude on Vertex AI").
 */
export function startFakeVertexModels(options: FakeOptions = {}): Promise<FakeProvider> {
  const apiKey = options.apiKey ?? 'ya29.fake-vertex-token';
  const answerGemini = createGemini(options, apiKey);
  const answerClaude = createAnthropic(options, apiKey);
  const answer = (call: IncomingCall): Reply => {
    if (call.headers['authorization'] !== `Bearer ${apiKey}`) {
      throw googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    const { authorization: _, ...headers } = call.headers;
    const [, gemini, method] = GEMINI.exec(call.path) ?? [];
    if (gemini !== undefined) {
      const path = `/v1beta/models/${gemini}:${method}`;
      const rawBody = method === 'countTokens' ? asGeminiCounts(call.rawBody, gemini) : call.rawBody;
      return answerGemini({ ...call, path, rawBody, headers: { ...headers, 'x-goog-api-key': apiKey } });
    }
    const [, claude, prediction] = CLAUDE.exec(call.path) ?? [];
    if (claude === 'count-tokens') {
      return answerClaude({
        ...call,
        path: '/v1/messages/count_tokens',
        headers: { ...headers, 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' },
        rawBody: asCounted(call.rawBody),
      });
    }
    if (claude === undefined) throw googleError(404, 'NOT_FOUND', 'Publisher Model was not found.');
    checkFlags(call.headers['anthropic-beta'] ?? '', call.rawBody, claude);
    return answerClaude({
      ...call,
      path: '/v1/messages',
      headers: { ...headers, 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' },
      rawBody: asAnthropicHasIt(call.rawBody, claude, prediction === 'streamRawPredict'),
    });
  };
  return startFake({ basePath: '', answer }, options, apiKey);
}

/** What it takes of Anthropic's flags (`providers/vertex.ts`). */
const FLAGS =
  /^(?:compact-2026-(?:01-12|09-04)|computer-use-2025-(?:01-24|11-24)|context-1m-2025-08-07|context-management-2025-06-27|interleaved-thinking-2025-05-14|tool-search-tool-2025-10-19|web-search-2025-03-05)$/;

/** Refusals in the words of anthropics/claude-code#34802, #27065 and #37746. */
function checkFlags(header: string, rawBody: Buffer, model: string): void {
  const flags = header.split(',').map((flag) => flag.trim());
  const unknown = flags.find((flag) => flag !== '' && !FLAGS.test(flag));
  if (unknown !== undefined) {
    throw invalid(
      `Unexpected value(s) \`${unknown}\` for the \`anthropic-beta\` header. Please consult our documentation at docs.anthropic.com or try again without the header.`,
    );
  }
  const body = tryParseJson(rawBody.toString('utf8'));
  if (!isObject(body)) return;
  const extra = (field: string) => invalid(`${field}: Extra inputs are not permitted`);
  const { tools, output_config: config } = body;
  const searched = Array.isArray(tools) && JSON.stringify(tools).includes('"defer_loading"');
  if (searched && !flags.includes('tool-search-tool-2025-10-19')) throw extra('tools.0.custom.defer_loading');
  const isEarlier = /4-[0-5]@/.test(model);
  if (isEarlier && isObject(config) && config['effort'] !== undefined) throw extra('output_config');
  if (body['speed'] !== undefined) throw extra('speed');
  if (/"cache_control":\{[^{}]*"scope"/.test(JSON.stringify(body)))
    throw extra('cache_control.ephemeral.scope');
}

/** Vertex API reference (`CountTokensRequest`): it has no place for a whole request. */
const COUNTED = new Set(['contents', 'systemInstruction', 'tools', 'generationConfig', 'model', 'instances']);

/** What Vertex takes at the top is within a request at the Gemini API. */
function asGeminiCounts(rawBody: Buffer, gemini: string): Buffer {
  const body = tryParseJson(rawBody.toString('utf8'));
  if (!isObject(body)) return rawBody;
  const unknown = Object.keys(body).find((key) => !COUNTED.has(key));
  if (unknown !== undefined) {
    throw googleError(
      400,
      'INVALID_ARGUMENT',
      `Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`,
    );
  }
  return Buffer.from(JSON.stringify({ generateContentRequest: { model: `models/${gemini}`, ...body } }));
}

/** Google Cloud, "Count tokens for Claude models": the model stands in the body here. */
function asCounted(rawBody: Buffer): Buffer {
  const body = tryParseJson(rawBody.toString('utf8'));
  if (!isObject(body)) throw invalid('The request body is not valid JSON.');
  const { anthropic_version: version, model, ...rest } = body;
  if (version !== 'vertex-2023-10-16') throw invalid('anthropic_version: Field required');
  if (typeof model !== 'string') throw invalid('model: Field required');
  return Buffer.from(JSON.stringify({ model: model.replace('@', '-'), ...rest }));
}

/** The model stands in the URL, the version in the body. */
function asAnthropicHasIt(rawBody: Buffer, model: string, isStream: boolean): Buffer {
  const body = tryParseJson(rawBody.toString('utf8'));
  if (!isObject(body)) throw invalid('The request body is not valid JSON.');
  const { anthropic_version: version, ...rest } = body;
  if ('model' in rest) throw invalid('model: Extra inputs are not permitted');
  if (version !== 'vertex-2023-10-16') throw invalid('anthropic_version: Field required');
  if ((rest['stream'] === true) !== isStream) throw invalid('stream: does not fit the method');
  return Buffer.from(JSON.stringify({ model: model.replace('@', '-'), ...rest }));
}
