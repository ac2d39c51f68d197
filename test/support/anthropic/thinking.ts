import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import type { Refusal } from '../refusal.ts';
import type { Signer } from '../signatures.ts';
import { has } from '../values.ts';
import { invalid } from './errors.ts';
import { type PlacedMessage, placeMessages } from './messages.ts';
import { claudeFamily } from './models.ts';

const DOCS = 'https://docs.claude.com/en/docs/build-with-claude/extended-thinking';

/** Rules of extended thinking: what it goes together with, and what of it must come back. */
export function findThinkingProblem(model: string, body: JsonObject, betas: string): Refusal | undefined {
  const { thinking } = body;
  if (!isObject(thinking) || thinking['type'] === 'disabled') return undefined;
  return (
    refuseKind(model, String(thinking['type'])) ??
    (thinking['type'] === 'enabled'
      ? refuseBudget(body, Number(thinking['budget_tokens']), betas)
      : undefined) ??
    refuseSampling(body) ??
    (thinking['type'] === 'enabled' ? (refuseForcedTool(body) ?? refuseMissingBlock(body)) : undefined)
  );
}

function refuseKind(model: string, type: string): Refusal | undefined {
  const { thinking } = claudeFamily(model);
  if (thinking === 'none') return invalid(`'${model}' does not support thinking.`);
  if (type === 'enabled' && thinking === 'adaptive') {
    // OpenHands/software-agent-sdk#3427
    return invalid(
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    );
  }
  if (type === 'adaptive' && thinking === 'budget') {
    return invalid('adaptive thinking is not supported on this model');
  }
  return undefined;
}

/** With interleaved thinking and tools the budget is for the whole turn and may exceed `max_tokens`. */
function refuseBudget(body: JsonObject, budget: number, betas: string): Refusal | undefined {
  const interleaved = betas.includes('interleaved-thinking') && has(body, 'tools');
  if (interleaved || budget < Number(body['max_tokens'])) return undefined;
  return invalid(
    `\`max_tokens\` must be greater than \`thinking.budget_tokens\`. Please consult our documentation at ${DOCS}#max-tokens-and-context-window-size`,
  );
}

/** one-hub#529 for the words; top_p and top_k from the guide, "Feature compatibility". */
function refuseSampling(body: JsonObject): Refusal | undefined {
  const see = `Please consult our documentation at ${DOCS}#important-considerations-when-using-extended-thinking`;
  if (has(body, 'temperature') && body['temperature'] !== 1) {
    return invalid(`\`temperature\` may only be set to 1 when thinking is enabled. ${see}`);
  }
  if (has(body, 'top_k')) return invalid(`\`top_k\` must be unset when thinking is enabled. ${see}`);
  if (has(body, 'top_p') && Number(body['top_p']) < 0.95) {
    return invalid(
      `\`top_p\` must be greater than or equal to 0.95 or unset when thinking is enabled. ${see}`,
    );
  }
  return undefined;
}

/** The guide: only `auto` and `none` go with thinking. Recorded: adaptive thinking takes `any`. */
function refuseForcedTool({ tool_choice: choice }: JsonObject): Refusal | undefined {
  if (!isObject(choice) || choice['type'] === 'auto' || choice['type'] === 'none') return undefined;
  return invalid('Thinking may not be enabled when tool_choice forces tool use.');
}

/**
 * While a tool loop runs, the turn that it belongs to must still begin with its thinking. Adaptive thinking has no
 * such rule. Histories whose last turn is over may leave their thinking out (recorded).
 */
function refuseMissingBlock(body: JsonObject): Refusal | undefined {
  const first = openTurnStart(placeMessages(body));
  const found = first?.blocks[0]?.['type'];
  if (!first || found === 'thinking' || found === 'redacted_thinking') return undefined;
  // haystack-core-integrations#2146
  return invalid(
    `messages.${first.index}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${found}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks). We recommend you include thinking blocks from previous turns. To avoid this requirement, disable \`thinking\`. Please consult our documentation at ${DOCS}`,
  );
}

/** The first assistant message of the turn that is still going on, through its tool results; undefined: none is. */
function openTurnStart(messages: readonly PlacedMessage[]): PlacedMessage | undefined {
  let start: PlacedMessage | undefined;
  for (const message of messages.toReversed()) {
    if (message.role === 'assistant') start = message;
    else if (message.role === 'user' && !message.blocks.some((block) => block['type'] === 'tool_result'))
      break;
  }
  return start;
}

/** Any thinking that comes back must be as it was given, whether thinking is on or not (langchain#33391). */
export function checkSignatures(body: JsonObject, signer: Signer): void {
  for (const { index, blocks } of placeMessages(body)) {
    for (const [at, block] of blocks.entries()) {
      const place = `messages.${index}.content.${at}`;
      if (block['type'] === 'thinking') {
        // claude-code#10627
        if (signer.isValid(String(block['thinking']), String(block['signature']))) continue;
        throw invalid(`${place}: Invalid \`signature\` in \`thinking\` block`);
      }
      if (block['type'] === 'redacted_thinking' && !signer.isValid('redacted', String(block['data']))) {
        throw invalid(`${place}: Invalid \`data\` in \`redacted_thinking\` block`);
      }
    }
  }
}
