import { appendAll } from '../conversation/append-all.ts';
import type {
  CacheHint,
  Conversation,
  DialectName,
  Extra,
  Message,
  Part,
  ReasoningPart,
} from '../conversation/conversation.ts';
import { isObject, type JsonValue } from '../conversation/json.ts';
import {
  callerWord,
  messagePlace,
  partPaths,
  resultPartPath,
  signaturePath,
  toolPlace,
} from './caller-words.ts';
import { isRider, isSaidTwice } from './places.ts';

/** Whether the encoder writes a reasoning part of a message. */
type TakesReasoning = (part: ReasoningPart, message: Message) => boolean;

/** Keys of an `Extra` that are not the caller's own fields. */
interface ExtraForm {
  /** They hold the unknown fields of an object that is known itself (chat `function`). */
  nested: ReadonlySet<string>;
  /** They stand in a part or tool only for the dialect's own encoder: what they say is said in neutral words too. */
  copies: ReadonlySet<string>;
}

/** What the item around a part says, which is no word of the caller's (`responses/extra.ts`). */
const ITEM = 'item';

const EXTRA_FORMS: Record<DialectName, ExtraForm> = {
  chat: {
    nested: new Set([
      'function',
      'custom',
      'image_url',
      'video_url',
      'document_url',
      'input_audio',
      'file',
      'allowed_tools',
      'json_schema',
    ]),
    copies: new Set(['type']),
  },
  responses: {
    nested: new Set([ITEM]),
    copies: new Set(['instructions', 'type', 'id', 'status', 'name', 'namespace', 'as_it_came']),
  },
  messages: { nested: new Set(['source']), copies: new Set() },
  gemini: {
    nested: new Set(['functionCall', 'functionResponse', 'inlineData', 'fileData']),
    copies: new Set(['parameters', 'thought']),
  },
  converse: { nested: new Set(), copies: new Set() },
};

/** What is left out at more places than this is named once for all of them: response headers are bounded. */
const MOST_PLACES = 8;

/**
 * What of the messages and tools only another dialect than `dialect` can say, in the caller's words: unknown fields,
 * blocks, reasoning and signatures of other providers. An encoder writes none of it and reports it as dropped.
 *
 * `takesSignatures`: those of other dialects are written, too.
 *
 * Opaque tools and the content of tool results are not in it: some encoders have a form for them.
 */
export function foreignParts(
  conversation: Conversation,
  dialect: DialectName,
  takesReasoning: TakesReasoning,
  takesSignatures = false,
): string[] {
  const names: string[] = [];
  for (const [index, message] of conversation.messages.entries()) {
    appendAll(names, extraNames(message.extra, dialect, messagePlace(conversation, index)));
    const paths = partPaths(conversation, index);
    for (const [at, part] of message.parts.entries()) {
      const path = paths[at] ?? '';
      if (
        part.type === 'opaque'
          ? part.dialect !== dialect
          : part.type === 'reasoning' && !takesReasoning(part, message)
      ) {
        if (!isRider(part) && !isSaidTwice(part)) names.push(path);
        continue;
      }
      appendAll(names, partNames(part, dialect, path));
      if (part.type === 'tool_result') {
        for (const [inner, content] of part.parts.entries())
          appendAll(names, partNames(content, dialect, resultPartPath(conversation, path, inner, content)));
      }
      if (!takesSignatures && isSignedByOther(part, dialect))
        names.push(signaturePath(conversation, index, path));
    }
  }
  return foldAlike([
    ...names,
    ...foreignToolFields(conversation, dialect),
    ...foreignWishes(conversation, dialect),
  ]);
}

/** The same for what is wished of the answer. */
function foreignWishes(conversation: Conversation, dialect: DialectName): string[] {
  const { toolChoice, responseFormat, reasoning } = conversation;
  return [
    ...foreignReasoning(reasoning?.extra, dialect),
    ...extraNames(toolChoice?.extra, dialect, callerWord(conversation, 'toolChoice'), 'without copies'),
    ...extraNames(responseFormat?.extra, dialect, callerWord(conversation, 'responseFormat')),
  ];
}

/**
 * What of a wish to think has no neutral word. Chat's kin says the same in several ways, and what summary is to be had in
 * `responses` is the wish for one.
 */
const REASONING_PATHS: Record<
  DialectName,
  (field: string, value: JsonValue) => string | string[] | undefined
> = {
  chat: () => undefined,
  responses: (field) => (SUMMARIES.has(field) ? undefined : `reasoning.${field}`),
  messages: (field, value) =>
    field === 'thinking' && isObject(value)
      ? Object.keys(value).map((inner) => `thinking.${inner}`)
      : `output_config.${field}`,
  gemini: (field) => `generationConfig.thinkingConfig.${field}`,
  converse: () => undefined,
};
const SUMMARIES: ReadonlySet<string> = new Set(['summary', 'generate_summary']);

function foreignReasoning(extra: Extra | undefined, dialect: DialectName): string[] {
  if (!extra || extra.dialect === dialect) return [];
  const pathOf = REASONING_PATHS[extra.dialect];
  return Object.entries(extra.fields).flatMap(([field, value]) =>
    value === null || value === undefined ? [] : (pathOf(field, value) ?? []),
  );
}

/** The same for the fields of tools alone. */
function foreignToolFields(conversation: Conversation, dialect: DialectName): string[] {
  return conversation.tools.flatMap((tool, index) => {
    if (tool.type === 'opaque') return [];
    const place = toolPlace(conversation, index);
    return [
      ...extraNames(tool.extra, dialect, place, 'without copies'),
      ...('cacheHint' in tool ? hintNames(tool.cacheHint, dialect, place) : []),
    ];
  });
}

/** Reasoning that `dialect` has signed or encrypted: what no provider but its own can make anything of. */
export function isReasoningOf(dialect: DialectName): TakesReasoning {
  return ({ signature, encrypted }) => signature?.dialect === dialect || encrypted?.dialect === dialect;
}

function isSignedByOther(part: Part, dialect: DialectName): boolean {
  if (!('signature' in part) || !part.signature) return false;
  // Elsewhere reasoning goes with its signature, or not at all.
  if (part.type === 'reasoning' && dialect !== 'gemini') return false;
  return part.signature.dialect !== dialect && !isRider(part.signature);
}

function partNames(part: Part, dialect: DialectName, path: string): string[] {
  if (part.type === 'opaque') return [];
  return [
    ...extraNames(part.extra, dialect, path, 'without copies'),
    ...hintNames(part.cacheHint, dialect, path),
  ];
}

/** What only one dialect's word for a cache says. */
function hintNames(hint: CacheHint | undefined, dialect: DialectName, path: string): string[] {
  return extraNames(hint?.extra, dialect, `${path}.cache_control`);
}

function extraNames(
  extra: Extra | undefined,
  dialect: DialectName,
  path: string,
  which: 'all' | 'without copies' = 'all',
): string[] {
  if (!extra || extra.dialect === dialect) return [];
  const { nested, copies } = EXTRA_FORMS[extra.dialect];
  return Object.entries(extra.fields).flatMap(([key, value]) => {
    const isCopy = (name: string) => which === 'without copies' && copies.has(name);
    if (value === null || isCopy(key)) return [];
    if (!nested.has(key) || !isObject(value)) return [`${path}.${key}`];
    const holder = key === ITEM ? 'input[]' : `${path}.${key}`;
    return Object.entries(value)
      .filter(([inner, said]) => said !== null && !isCopy(inner))
      .map(([inner]) => `${holder}.${inner}`);
  });
}

function foldAlike(names: readonly string[]): string[] {
  const places = new Map<string, number>();
  for (const name of new Set(names)) places.set(shapeOf(name), (places.get(shapeOf(name)) ?? 0) + 1);
  return [
    ...new Set(names.map((name) => ((places.get(shapeOf(name)) ?? 0) > MOST_PLACES ? shapeOf(name) : name))),
  ];
}

function shapeOf(name: string): string {
  return name.replace(/\[\d+\]/g, '[]');
}
