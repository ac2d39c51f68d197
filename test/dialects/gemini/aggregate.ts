import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';

/*
 * Adds the chunks of a stream up to the answer that the non-streaming call would have given: the plain way, apart
 * from the codec, for well-formed recordings only.
 */

interface WirePart extends JsonObject {
  functionCall?: WireCall;
}

interface WireCall extends JsonObject {
  partialArgs?: JsonObject[];
}

export function aggregate(chunks: readonly JsonObject[]): JsonObject {
  let whole: JsonObject = {};
  const candidate: { parts: WirePart[]; fields: JsonObject } = { parts: [], fields: {} };
  for (const chunk of chunks) {
    const { candidates, ...rest } = chunk;
    whole = { ...whole, ...rest };
    const [first] = (candidates ?? []) as JsonObject[];
    const { content, ...fields } = first ?? {};
    candidate.fields = { ...candidate.fields, ...fields };
    const parts = ((content as JsonObject | undefined)?.['parts'] ?? []) as WirePart[];
    for (const part of parts) addPart(candidate.parts, part);
  }
  return {
    ...whole,
    candidates: [{ content: { parts: candidate.parts, role: 'model' }, ...candidate.fields }],
  };
}

function addPart(parts: WirePart[], part: WirePart): void {
  const last = parts.at(-1);
  if (part.functionCall && part.functionCall['name'] === undefined) {
    for (const piece of part.functionCall.partialArgs ?? []) addPiece(last?.functionCall ?? {}, piece);
  } else if (part.functionCall) {
    const { willContinue: _, partialArgs: _p, ...call } = part.functionCall;
    parts.push({ ...part, functionCall: { args: {}, ...call } });
  } else if (typeof part['text'] !== 'string') {
    parts.push({ ...part });
  } else if (
    typeof last?.['text'] === 'string' &&
    last['thought'] === part['thought'] &&
    !last['thoughtSignature']
  ) {
    last['text'] += part['text'];
    if (part['thoughtSignature'] !== undefined) last['thoughtSignature'] = part['thoughtSignature'];
  } else if (part['text'] !== '' || part['thoughtSignature'] !== undefined) {
    parts.push({ ...part });
  }
}

function addPiece(call: JsonObject, piece: JsonObject): void {
  const steps = String(piece['jsonPath']).replaceAll('[', '.').replaceAll(']', '').split('.').slice(1);
  const last = steps.pop() ?? '';
  let at = call['args'] as JsonObject;
  for (const [place, step] of steps.entries()) {
    const next = steps[place + 1] ?? last;
    at[step] ??= (/^\d+$/.test(next) ? [] : {}) as JsonValue;
    at = at[step] as JsonObject;
  }
  const value = piece['stringValue'] ?? piece['numberValue'] ?? piece['boolValue'] ?? null;
  const before = at[last];
  at[last] = typeof before === 'string' && typeof value === 'string' ? before + value : value;
}
