import { createHash } from 'node:crypto';
import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import type { Conversation, Message, Part, Tool, ToolChoice } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { toolPath } from './caller-words.ts';
import type { StreamDecoder, UpstreamDialect } from './dialect.ts';
import { standingFor } from './places.ts';
import { customToolName } from './reserved-tools.ts';

/** What an API takes for the name of a tool. */
export interface ToolNameRule {
  pattern: RegExp;
  /** How many characters it may have. */
  most: number;
  /** Custom tools go as functions, whose names say so (`reserved-tools.ts`). */
  emulatesCustomTools: boolean;
}

/** By the names that are sent, those that the caller said. */
export type SaidNames = ReadonlyMap<string, string>;

/** A conversation whose tools have names that the API takes. */
export interface LegalNames {
  conversation: Conversation;
  /** `undefined`: all are called as the caller called them. */
  said?: SaidNames;
}

/**
 * Gives each tool whose name the API would refuse another one, wherever the conversation names it. The names follow from the caller's alone: the
 * same tool has the same in every request, whatever stands beside it, so that prompt caches hold; and no two tools have one. A caller of the
 * API's own dialect gets its own words about a name.
 *
 * @throws GatewayError `invalid_request` for a tool without a name
 */
export function withLegalNames(
  conversation: Conversation,
  rule: ToolNameRule,
  dialect: Conversation['dialect'],
): LegalNames {
  if (conversation.dialect === dialect) return { conversation };
  const nameless = conversation.tools.findIndex((tool) => tool.type !== 'opaque' && tool.name === '');
  if (nameless >= 0) {
    const path = toolPath(conversation, nameless, 'name');
    throw invalidRequest(`'${path}' is empty: a tool is called by its name.`, path, 'invalid_value');
  }
  const own = conversation.tools.flatMap((tool) => (tool.type === 'opaque' ? [] : [tool]));
  const taken = new Set(own.map(({ name }) => name));
  const sent = new Map<string, string>();
  for (const { type, name } of own) {
    const isEmulated = type === 'custom' && rule.emulatesCustomTools;
    if (sent.has(name) || rule.pattern.test(isEmulated ? customToolName(name) : name)) continue;
    const legal = legalName(name, rule, isEmulated, taken);
    taken.add(legal);
    sent.set(name, legal);
  }
  if (sent.size === 0) return { conversation };
  const { tools, toolChoice, messages } = conversation;
  const renamed: Conversation = {
    ...conversation,
    tools: tools.map((tool) => renameTool(tool, sent)),
    messages: messages.map((message) => renameCalls(message, sent)),
    ...(toolChoice ? { toolChoice: renameChoice(toolChoice, sent) } : {}),
  };
  return { conversation: renamed, said: new Map([...sent].map(([said, legal]) => [legal, said])) };
}

const HASH_LENGTH = 8;

/** What can be read of the name, and a hash of all of it. */
function legalName(
  name: string,
  { pattern, most }: ToolNameRule,
  isEmulated: boolean,
  taken: ReadonlySet<string>,
): string {
  const wrap = (text: string) => (isEmulated ? customToolName(text) : text);
  const plain = name.replace(/[^a-zA-Z0-9_-]/g, '_');
  const readable = pattern.test(wrap(plain.charAt(0))) ? plain : `_${plain}`;
  const room = most - wrap('').length - HASH_LENGTH - 1;
  for (let attempt = 0; ; attempt += 1) {
    const hashed = attempt === 0 ? name : `${name}\n${attempt}`;
    const hash = createHash('sha256').update(hashed).digest('hex').slice(0, HASH_LENGTH);
    const legal = `${readable.slice(0, room)}_${hash}`;
    if (!taken.has(legal)) return legal;
  }
}

function renameTool(tool: Tool, sent: ReadonlyMap<string, string>): Tool {
  const name = tool.type === 'opaque' ? undefined : sent.get(tool.name);
  return name === undefined ? tool : standingFor(tool, { ...tool, name } as Tool);
}

function renameChoice(choice: ToolChoice, sent: ReadonlyMap<string, string>): ToolChoice {
  const rename = (name: string) => sent.get(name) ?? name;
  if (choice.type === 'tool') return { ...choice, name: rename(choice.name) };
  return choice.type === 'allowed' ? { ...choice, names: choice.names.map(rename) } : choice;
}

function renameCalls(message: Message, sent: ReadonlyMap<string, string>): Message {
  const parts = message.parts.map((part) => renamePart(part, sent));
  const isSame = parts.every((part, index) => part === message.parts[index]);
  return isSame ? message : standingFor(message, { ...message, parts });
}

function renamePart<P extends Part>(part: P, names: ReadonlyMap<string, string>): P {
  if (part.type !== 'tool_call' && part.type !== 'tool_result') return part;
  const name = part.name === undefined ? undefined : names.get(part.name);
  return name === undefined ? part : standingFor(part, { ...part, name });
}

/** The dialect whose answers call the tools as the caller did. */
export function withSaidNames(dialect: UpstreamDialect, said: SaidNames): UpstreamDialect {
  return {
    ...dialect,
    decodeResponse: (body) => inSaidNames(dialect.decodeResponse(body), said),
    streamDecoder: () => new RenamingDecoder(dialect.streamDecoder(), said),
  };
}

function inSaidNames(completion: Completion, said: SaidNames): Completion {
  const choices = completion.choices.map((choice) => ({
    ...choice,
    parts: choice.parts.map((part) => renamePart(part, said)),
  }));
  return { ...completion, choices };
}

class RenamingDecoder implements StreamDecoder {
  readonly #decoder: StreamDecoder;
  readonly #said: SaidNames;

  constructor(decoder: StreamDecoder, said: SaidNames) {
    this.#decoder = decoder;
    this.#said = said;
  }

  get usageIsAnnounced(): boolean {
    return this.#decoder.usageIsAnnounced === true;
  }

  get isFinished(): boolean {
    return this.#decoder.isFinished === true;
  }

  push(message: Parameters<StreamDecoder['push']>[0]): CompletionEvent[] {
    return this.#renamed(this.#decoder.push(message));
  }

  end(): CompletionEvent[] {
    return this.#renamed(this.#decoder.end());
  }

  #renamed(events: CompletionEvent[]): CompletionEvent[] {
    return events.map((event) =>
      event.type === 'part_start' ? { ...event, value: renamePart(event.value, this.#said) } : event,
    );
  }
}
