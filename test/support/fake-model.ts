import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { exampleOf } from './fake-example.ts';
import { type Disruption, type ExtraUsage, readScript, type Script, type ScriptCall } from './fake-script.ts';

/** One turn of the conversation as the fake model sees it, in whatever dialect it came. */
export interface Turn {
  role: 'user' | 'assistant';
  texts: string[];
  /** `image image/png 68 bytes`: what kind of thing was sent, and how much of it. */
  media: string[];
  calls: { name: string; json: string }[];
  results: string[];
}

export interface ModelTool {
  name: string;
  schema?: JsonObject;
}

/** The neutral view of a request: each fake reads its own dialect into this, and nothing else reaches the model. */
export interface ModelRequest {
  system: string[];
  turns: Turn[];
  tools: ModelTool[];
  toolChoice: 'auto' | 'none' | 'required' | { name: string };
  parallelCalls: boolean;
  format?: { type: 'json_object' } | { type: 'json_schema'; schema: JsonObject };
  /** `always`: the dialect's model thinks at the start of every turn, asked or not; `every round`: also about what tools gave. */
  reasoning: 'off' | 'on' | 'always' | 'every round';
  maxOutputTokens?: number;
  stop: string[];
  choices: number;
}

export interface ModelChoice {
  reasoning: string;
  text: string;
  calls: ScriptCall[];
  finish: 'stop' | 'stop_sequence' | 'length' | 'tool_calls' | 'refusal' | 'blocked';
  stopSequence?: string;
}

/** Tokens in disjoint buckets. */
export interface ModelUsage {
  input: number;
  inputAudio: number;
  cacheRead: number;
  cacheWrite: number;
  cacheWrite1h: number;
  output: number;
  outputAudio: number;
  reasoning: number;
}

export interface ModelAnswer {
  choices: ModelChoice[];
  usage: ModelUsage;
  disruption: Disruption;
}

export const REFUSAL_TEXT = 'I cannot help with that.';

/** A turn to fill. */
export function emptyTurn(role: Turn['role']): Turn {
  return { role, texts: [], media: [], calls: [], results: [] };
}

/** Turns of one role in a row become one, as Anthropic does it and as Gemini and OpenAI clients are made to do it. */
export function mergeTurns(turns: readonly Turn[]): Turn[] {
  const merged: Turn[] = [];
  for (const turn of turns) {
    const last = merged.at(-1);
    // A user's words after tool results start a new turn: they are a new question.
    const continues = last?.role === turn.role && !(last.results.length > 0 && turn.results.length === 0);
    if (last && continues) {
      last.texts.push(...turn.texts);
      last.media.push(...turn.media);
      last.calls.push(...turn.calls);
      last.results.push(...turn.results);
    } else merged.push(structuredClone(turn));
  }
  return merged;
}

/** What the model does with a request, by the script in the last user text. The same request gets the same answer. */
export function runModel(request: ModelRequest, behaviour = ''): ModelAnswer {
  const turns = mergeTurns(request.turns);
  const question = turns.findLast(
    (turn) => turn.role === 'user' && turn.texts.length + turn.media.length > 0,
  );
  const asked = question?.texts.join('\n') ?? '';
  const script = readScript(`${behaviour}\n${asked}`);
  const answered = turns.slice(question ? turns.indexOf(question) + 1 : 0);
  const choice = chooseAnswer(request, script, { turns, question, asked, answered });
  const choices = Array.from({ length: request.choices }, (_, index) => ({
    ...choice,
    text: index === 0 || choice.text === '' ? choice.text : `${choice.text} #${index + 1}`,
  }));
  return {
    choices,
    usage: countUsage(request, turns, choices, script.usage),
    disruption: script.disruption,
  };
}

/** Where the conversation stands: the last question, and what happened since. */
interface Standing {
  turns: Turn[];
  question: Turn | undefined;
  asked: string;
  answered: Turn[];
}

function chooseAnswer(request: ModelRequest, script: Script, standing: Standing): ModelChoice {
  const calls = chooseCalls(request, script, standing);
  const reasoning = chooseReasoning(request, script, standing);
  if (script.refuse === 'block') return { reasoning: '', text: '', calls: [], finish: 'blocked' };
  if (script.refuse === 'refuse') return { reasoning, text: REFUSAL_TEXT, calls: [], finish: 'refusal' };
  if (calls.length > 0) return { reasoning, text: '', calls, finish: 'tool_calls' };
  return { reasoning, calls: [], ...limitText(request, script, chooseText(request, script, standing)) };
}

function chooseCalls(request: ModelRequest, script: Script, { answered }: Standing): ScriptCall[] {
  if (request.tools.length === 0 || request.toolChoice === 'none') return [];
  const round = answered.filter((turn) => turn.calls.length > 0).length;
  const called = new Set(answered.flatMap(({ calls }) => calls.map(({ name }) => name)));
  const asked = script.rounds[round] ?? forcedCall(request, called);
  return request.parallelCalls ? asked : asked.slice(0, 1);
}

/** A model that must call a tool calls each at most once a question: otherwise no tool loop would ever end. */
function forcedCall({ toolChoice, tools }: ModelRequest, called: ReadonlySet<string>): ScriptCall[] {
  if (toolChoice === 'auto' || toolChoice === 'none') return [];
  const tool = tools.find(
    ({ name }) => !called.has(name) && (toolChoice === 'required' || name === toolChoice.name),
  );
  if (!tool) return [];
  const input = tool.schema === undefined ? {} : exampleObject(tool.schema);
  return [{ name: tool.name, input, json: JSON.stringify(input) }];
}

function exampleObject(schema: JsonObject): JsonObject {
  const example: JsonValue = exampleOf(schema);
  return typeof example === 'object' && example !== null && !Array.isArray(example) ? example : {};
}

function chooseReasoning(request: ModelRequest, script: Script, { asked, answered }: Standing): string {
  if (request.reasoning === 'off') return '';
  if (answered.length > 0) return request.reasoning === 'every round' ? 'thinking about the results' : '';
  if (script.think !== undefined) return `thinking about ${script.think}`;
  return request.reasoning === 'on' ? '' : `thinking about ${asked.split('\n')[0] ?? ''}`;
}

function chooseText(request: ModelRequest, script: Script, standing: Standing): string {
  const { question, asked, answered } = standing;
  const results = answered.findLast((turn) => turn.results.length > 0)?.results ?? [];
  if (request.format?.type === 'json_schema') return JSON.stringify(exampleOf(request.format.schema));
  if (request.format?.type === 'json_object') return JSON.stringify({ echo: asked });
  if (results.length > 0) return `Tool said: ${results.join(', ')}`;
  if (script.saySystem) return `System: ${request.system.join('\n')}`;
  if (script.long !== undefined) return longText(script.long);
  if (script.stopAt !== undefined) return `before ${script.stopAt} after`;
  if (question && question.media.length > 0) return `Saw ${question.media.join(', ')}`;
  return `Echo: ${script.plain.length > 0 ? script.plain.join('\n') : asked}`;
}

function longText(words: number): string {
  return Array.from({ length: words }, (_, index) => `word${index + 1}`).join(' ');
}

/** Stop sequences and the token limit, which a real model keeps whatever it was about to say. */
function limitText(
  request: ModelRequest,
  script: Script,
  full: string,
): Pick<ModelChoice, 'text' | 'finish' | 'stopSequence'> {
  const hits = request.stop
    .map((sequence) => ({ sequence, at: full.indexOf(sequence) }))
    .filter((hit) => hit.at >= 0)
    .sort((a, b) => a.at - b.at);
  const hit = hits[0];
  const text = hit ? full.slice(0, hit.at) : full;
  const limit = request.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  if (countTokens(text) > limit) return { text: firstTokens(text, limit), finish: 'length' };
  if (hit) return { text, finish: 'stop_sequence', stopSequence: hit.sequence };
  return { text, finish: script.finish ?? 'stop' };
}

/** A token of the fake model is a word. */
export function countTokens(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length;
}

function firstTokens(text: string, count: number): string {
  return text
    .split(/(?<=\s)(?=\S)/)
    .slice(0, count)
    .join('')
    .trimEnd();
}

function countUsage(
  request: ModelRequest,
  turns: readonly Turn[],
  choices: readonly ModelChoice[],
  extra: ExtraUsage,
): ModelUsage {
  const inputWords = [
    ...request.system,
    ...turns.flatMap((turn) => [...turn.texts, ...turn.media, ...turn.results]),
    ...turns.flatMap((turn) => turn.calls.map((call) => call.name)),
    ...request.tools.map((tool) => tool.name),
  ];
  return {
    inputAudio: 0,
    cacheRead: 0,
    cacheWrite: 0,
    cacheWrite1h: 0,
    outputAudio: 0,
    ...extra,
    input: sum(inputWords.map(countTokens)),
    output: sum(choices.map((choice) => countTokens(choice.text) + choice.calls.length)),
    reasoning: extra.reasoning ?? sum(choices.map((choice) => countTokens(choice.reasoning))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, item) => total + item, 0);
}

export function totalInput(usage: ModelUsage): number {
  return usage.input + usage.inputAudio + usage.cacheRead + usage.cacheWrite + usage.cacheWrite1h;
}

export function totalOutput(usage: ModelUsage): number {
  return usage.output + usage.outputAudio + usage.reasoning;
}

/** A text in the pieces in which it is streamed: a word and the space before it. */
export function piecesOf(text: string): string[] {
  return text.split(/(?<=\S)(?=\s)/).filter((piece) => piece !== '');
}

/** Text cut every `size` characters, never inside a surrogate pair (a JSON string could not carry the halves). */
export function slicesOf(text: string, size: number): string[] {
  const characters = [...text];
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}
