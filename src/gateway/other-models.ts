import type { JsonValue } from '../conversation/json.ts';
import { NO_USAGE } from '../conversation/usage.ts';
import {
  findImageTools,
  findModelsInTools,
  mayNameInTools,
  type NamedModel,
} from '../dialects/named-models.ts';
import { parseField } from '../dialects/request-fields.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import { UNSAID_OUTPUT_TOKENS } from './bound-call.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import { modelWithoutPrice } from './refuse-unpriced.ts';

const IMAGE_TOOL = Buffer.from('"image_generation"');

/** The models that a call has tools of its provider use, beside the one that it is for. */
export interface ToolModels {
  advising: NamedModel[];
  drawing: NamedModel[];
}

/** `undefined`: its tools, as nearly all, are of no other model. */
export function findToolModels({ body, spans, words, door }: Call): ToolModels | undefined {
  const { tools: span } = spans;
  if (!span || door.operation !== 'generate') return undefined;
  const draws = body.subarray(span.start, span.end).includes(IMAGE_TOOL);
  if (!draws && !mayNameInTools(words)) return undefined;
  const tools = parseField(body, span, 'tools') as JsonValue;
  const drawing = door.dialect.name === 'responses' ? findImageTools(tools) : [];
  const advising = findModelsInTools(tools).filter(({ path }) => !isOneOf(path, drawing));
  return advising.length + drawing.length > 0 ? { advising, drawing } : undefined;
}

function isOneOf(path: string, tools: readonly NamedModel[]): boolean {
  return tools.some((tool) => path.startsWith(`${tool.path}.`));
}

/**
 * What the tools' models may cost where a call goes, in micro-dollars: each reads what the call says and answers as often, and as much, as
 * its tool lets it; once where that is not said.
 *
 * @throws GatewayError `invalid_request` for a model without a price
 */
export function boundToolCost(
  gateway: Gateway,
  call: Call,
  planned: PlannedAttempt,
  tools: ToolModels,
  input: number,
): number {
  if (!isRelayed(call, planned)) return 0;
  const { upstream } = planned.target;
  let sum = 0;
  for (const named of [...tools.advising, ...tools.drawing]) {
    const { model, output = UNSAID_OUTPUT_TOKENS, uses = 1 } = named;
    const name = `${upstream.name}/${model ?? ''}`;
    const isPriced =
      model !== undefined && (tools.advising.includes(named) || gateway.prices.isConfigured(name));
    const usage = { ...NO_USAGE, input, output };
    const cost = isPriced ? gateway.prices.costMicroUsd(name, usage, call.startedAt) : null;
    if (cost === null) throw modelWithoutPrice(named);
    sum += cost * Math.max(1, uses);
  }
  return sum;
}

/** Whether the call goes there as it came: what names other models is nobody's in another dialect. */
export function isRelayed(call: Call, { target, account }: PlannedAttempt): boolean {
  const { door, stream } = call;
  const { name: dialect } = door.dialect;
  const asked = { operation: door.operation, model: target.model, stream, dialect };
  return findEndpoint(target.upstream, account, asked)?.dialect.name === dialect;
}
