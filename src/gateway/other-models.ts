import { NO_USAGE, type Usage } from '../conversation/usage.ts';
import {
  findAlternatives,
  findImageTools,
  findModelsInTools,
  type NamedModel,
} from '../dialects/named-models.ts';
import { type AskedTier, tierWord } from '../dialects/tiers.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import { mayOtherAnswer } from './answering-model.ts';
import { findAskedTier } from './asked-tier.ts';
import { UNSAID_OUTPUT_TOKENS } from './bound-call.ts';
import type { Call } from './call.ts';
import { mayInputAddTools, mayToolsNameModels, readModelField, readTools } from './check-also-named.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import { modelWithoutPrice, tierWithoutPrice } from './refuse-unpriced.ts';

const IMAGE_TOOL = Buffer.from('"image_generation"');

/** What a call may have done by other models than the one that it is for, as far as it names them. */
export interface OtherModels {
  /** Any of them may answer in its place. */
  answering: NamedModel[];
  /** Its tools ask them, or have them draw. */
  advising: NamedModel[];
  drawing: NamedModel[];
}

/** `undefined`: nothing, as of nearly all calls. */
export function findOtherModels(call: Call): OtherModels | undefined {
  const { body, spans, door } = call;
  if (door.operation !== 'generate') return undefined;
  const { name: dialect } = door.dialect;
  const read = (field: string) => readModelField(call, field);
  const answering = mayOtherAnswer(call) ? findAlternatives(dialect, read) : [];
  const { tools: span } = spans;
  const mayAdvise = mayToolsNameModels(call);
  const mayDraw =
    dialect === 'responses' &&
    (mayInputAddTools(call) || (span && body.subarray(span.start, span.end).includes(IMAGE_TOOL)));
  const tools = mayAdvise || mayDraw ? readTools(call) : [];
  const drawing = dialect === 'responses' ? findImageTools(tools) : [];
  const advising = findModelsInTools(tools).filter(({ path }) => !isOneOf(path, drawing));
  const isNone = answering.length + advising.length + drawing.length === 0;
  return isNone ? undefined : { answering, advising, drawing };
}

function isOneOf(path: string, tools: readonly NamedModel[]): boolean {
  return tools.some((tool) => path.startsWith(`${tool.path}.`));
}

export interface TokenBound {
  input: number;
  output: number;
}

/**
 * What other models may cost where a call goes, beside what its own does, in micro-dollars. Of those that may answer in its place all at
 * Anthropic, where each is paid that had begun, elsewhere the dearest. Those of tools read what the call says and answer as often, and as
 * much, as the tool lets them; once where that is not said.
 *
 * @throws GatewayError `invalid_request` for a model, or a tier of one, without a price
 */
export function boundOtherCost(
  gateway: Gateway,
  call: Call,
  planned: PlannedAttempt,
  { answering, advising, drawing }: OtherModels,
  { input, output }: TokenBound,
): number {
  if (!isRelayed(call, planned)) return 0;
  const asked = findAskedTier(call, planned);
  const priced = { gateway, call, provider: planned.target.upstream.name };
  const isEachPaid = call.door.dialect.name === 'messages';
  let sum = 0;
  for (const named of answering) {
    const usage = { ...NO_USAGE, input, output: named.output ?? output };
    const cost = Math.max(priceNamed(priced, named, usage), priceInTier(priced, named, usage, asked));
    sum = isEachPaid ? sum + cost : Math.max(sum, cost);
  }
  for (const named of [...advising, ...drawing]) {
    const { model, output: most = UNSAID_OUTPUT_TOKENS, uses = 1 } = named;
    const isImages = drawing.includes(named);
    if (isImages && !gateway.prices.isConfigured(`${priced.provider}/${model ?? ''}`))
      throw modelWithoutPrice(named);
    sum += priceNamed(priced, named, { ...NO_USAGE, input, output: most }) * Math.max(1, uses);
  }
  return sum;
}

interface Priced {
  gateway: Gateway;
  call: Call;
  provider: string;
}

function priceNamed({ gateway, call, provider }: Priced, named: NamedModel, usage: Usage): number {
  const { model } = named;
  const cost =
    model === undefined ? null : gateway.prices.costMicroUsd(`${provider}/${model}`, usage, call.startedAt);
  if (cost === null) throw modelWithoutPrice(named);
  return cost;
}

/** A model that is not had in the tier which the whole request asks for serves it in the standard one; what is asked of itself must have a price. */
function priceInTier(
  { gateway, call, provider }: Priced,
  { model = '', path, speed }: NamedModel,
  usage: Usage,
  asked: AskedTier | undefined,
): number {
  const own = tierWord(speed);
  const tier = own ?? asked?.tier;
  if (tier === undefined) return 0;
  const cost = gateway.prices.costMicroUsd(`${provider}/${model}`, { ...usage, tier }, call.startedAt);
  if (cost === null && own !== undefined)
    throw tierWithoutPrice(model, { tier: own, param: `${path}.speed` });
  return cost ?? 0;
}

/** Whether the call goes there as it came: what names other models is nobody's in another dialect. */
export function isRelayed(call: Call, { target, account }: PlannedAttempt): boolean {
  const { door, stream } = call;
  const { name: dialect } = door.dialect;
  const asked = { operation: door.operation, model: target.model, stream, dialect };
  return findEndpoint(target.upstream, account, asked)?.dialect.name === dialect;
}
