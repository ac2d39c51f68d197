import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';

/** What goes wrong with the connection or the answer, beside the model's own words. */
export interface Disruption {
  /** Answer with this status and the dialect's real error body instead. */
  fail?: number;
  failure?: 'quota' | 'context' | 'policy';
  hang?: 'before headers' | 'mid-stream';
  breakMidStream?: boolean;
  /** The dialect's in-stream error event: before the first output (lifecycle events are out by then) or in the middle. */
  errorInStream?: 'at start' | 'mid-stream';
  /** Everything but the last frame (`[DONE]`, `message_stop`, the chunk with the finish reason), then a clean end. */
  closeWithoutDone?: boolean;
  /** The whole text, then a clean end: no finish reason, no usage, no last frame. */
  closeEarly?: boolean;
  slowMs?: number;
  html?: number;
  truncatedJson?: boolean;
  /** Only the lifecycle events of a stream (or an answer without choices) come, then a clean end. */
  empty?: boolean;
}

export interface ScriptCall {
  name: string;
  input: JsonObject;
  /** The JSON as the script wrote it: a dialect whose calls carry text sends it byte by byte. */
  json: string;
}

/** Tokens beside what the words of the request and the answer count. */
export type ExtraUsage = Partial<
  Record<'cacheRead' | 'cacheWrite' | 'cacheWrite1h' | 'inputAudio' | 'outputAudio' | 'reasoning', number>
>;

export interface Script {
  /** The lines that are no directive. */
  plain: string[];
  /** Calls by round: `then` starts the next one, which comes after the results of the one before. */
  rounds: ScriptCall[][];
  think?: string;
  long?: number;
  stopAt?: string;
  finish?: 'length';
  refuse?: 'refuse' | 'block';
  saySystem?: boolean;
  usage: ExtraUsage;
  disruption: Disruption;
}

type Directive = [pattern: RegExp, apply: (script: Script, match: string[]) => void];

/**
 * The language in which a test tells the fake model what to do: lines of the last user text. A line that is no
 * directive is plain text, which the model echoes.
 */
const DIRECTIVES: readonly Directive[] = [
  [
    /^(?:then )?call (\S+) ?(.*)$/,
    (script, [line = '', name = '', json = '']) => addCall(script, line, name, json),
  ],
  [/^think(?: about)? (.+)$/, (script, [, topic = '']) => set(script, { think: topic })],
  [/^long (\d+)$/, (script, [, words]) => set(script, { long: Number(words) })],
  [/^stop at (.+)$/, (script, [, sequence = '']) => set(script, { stopAt: sequence })],
  [/^finish length$/, (script) => set(script, { finish: 'length' })],
  [/^refuse$/, (script) => set(script, { refuse: 'refuse' })],
  [/^block$/, (script) => set(script, { refuse: 'block' })],
  [/^say system$/, (script) => set(script, { saySystem: true })],
  [/^usage cached (\d+)$/, (script, [, n]) => addUsage(script, { cacheRead: Number(n) })],
  [/^usage cache-write (\d+)$/, (script, [, n]) => addUsage(script, { cacheWrite: Number(n) })],
  [/^usage cache-write-1h (\d+)$/, (script, [, n]) => addUsage(script, { cacheWrite1h: Number(n) })],
  [/^usage audio-in (\d+)$/, (script, [, n]) => addUsage(script, { inputAudio: Number(n) })],
  [/^usage audio-out (\d+)$/, (script, [, n]) => addUsage(script, { outputAudio: Number(n) })],
  [/^usage reasoning (\d+)$/, (script, [, n]) => addUsage(script, { reasoning: Number(n) })],
  [/^fail 429 quota$/, (script) => disrupt(script, { fail: 429, failure: 'quota' })],
  [/^fail 400 context$/, (script) => disrupt(script, { fail: 400, failure: 'context' })],
  [/^fail 400 policy$/, (script) => disrupt(script, { fail: 400, failure: 'policy' })],
  [/^fail (\d{3})$/, (script, [, status]) => disrupt(script, { fail: Number(status) })],
  [/^break mid-stream$/, (script) => disrupt(script, { breakMidStream: true })],
  [/^error mid-stream$/, (script) => disrupt(script, { errorInStream: 'mid-stream' })],
  [/^error at start$/, (script) => disrupt(script, { errorInStream: 'at start' })],
  [/^hang before headers$/, (script) => disrupt(script, { hang: 'before headers' })],
  [/^hang mid-stream$/, (script) => disrupt(script, { hang: 'mid-stream' })],
  [/^slow (\d+) ms per chunk$/, (script, [, ms]) => disrupt(script, { slowMs: Number(ms) })],
  [/^close without done$/, (script) => disrupt(script, { closeWithoutDone: true })],
  [/^close early$/, (script) => disrupt(script, { closeEarly: true })],
  [/^html (\d{3})$/, (script, [, status]) => disrupt(script, { html: Number(status) })],
  [/^truncated json$/, (script) => disrupt(script, { truncatedJson: true })],
  [/^empty answer$/, (script) => disrupt(script, { empty: true })],
];

export function readScript(text: string): Script {
  const script: Script = { plain: [], rounds: [], usage: {}, disruption: {} };
  for (const line of text.split('\n')) {
    const directive = matchDirective(line.trim());
    if (directive) directive[0](script, directive[1]);
    else if (line.trim() !== '') script.plain.push(line);
  }
  return script;
}

function matchDirective(line: string): [Directive[1], string[]] | undefined {
  for (const [pattern, apply] of DIRECTIVES) {
    const match = pattern.exec(line);
    if (match) return [apply, [...match]];
  }
  return undefined;
}

function addCall(script: Script, line: string, name: string, json: string): void {
  const written = json === '' ? '{}' : json;
  const parsed = tryParseJson(written);
  // A model may write arguments that are no JSON. Only dialects whose arguments are text can say that.
  const call: ScriptCall = { name, input: isObject(parsed) ? parsed : {}, json: written };
  const round = script.rounds.at(-1);
  if (round && !line.startsWith('then ')) round.push(call);
  else script.rounds.push([call]);
}

function set(script: Script, change: Partial<Script>): void {
  Object.assign(script, change);
}

function addUsage(script: Script, change: ExtraUsage): void {
  Object.assign(script.usage, change);
}

function disrupt(script: Script, change: Disruption): void {
  Object.assign(script.disruption, change);
}
