import type { DoorClient } from '../door-client.ts';
import { type Asking, FEATURES, type Feature } from '../features.ts';

/**
 * What became of a cell, in a word and what it is about: `native` (the provider speaks the door's dialect), `translated`,
 * `dropped: NAMES` (as `x-fairlead-dropped` has them; the rest of the feature is there), `refused: PARAMETER` (a 400 or 422).
 */
export type Outcome = string;

/** Asks for a feature, and tells what became of it. Fails where it is neither there as it must be nor refused. */
export async function observe(feature: Feature, asking: Asking): Promise<Outcome> {
  const { fake, door } = asking;
  const before = fake.requests.length;
  const dropped = new Set<string>();
  const watched: DoorClient = {
    ...door,
    ask: async (question, way) => {
      const told = await door.ask(question, way);
      for (const name of told.header('x-fairlead-dropped')?.split(', ') ?? []) {
        dropped.add(name.replace(/\[\d+\]/g, '[]'));
      }
      return told;
    },
  };
  let missing: string | undefined;
  try {
    missing = await FEATURES[feature]({ ...asking, door: watched });
  } catch (error) {
    const refused = readRefusal(door, error);
    if (refused === undefined) throw error;
    return `refused: ${refused}`;
  }
  // It asks for the usage of a stream, whatever else the stream is about.
  if (feature !== 'usage') dropped.delete('stream_options');
  if (missing !== undefined) return missing;
  if (dropped.size > 0) return `dropped: ${[...dropped].sort().join(', ')}`;
  const spoken = new Set(fake.requests.slice(before).map(({ path }) => dialectOf(path)));
  return spoken.size === 1 && spoken.has(door.dialect) ? 'native' : 'translated';
}

/** Google's older client says by another name what its newer one says: a cell is of both. */
const OLDER_NAMES: Readonly<Record<string, string>> = {
  'generationConfig.responseSchema': 'generationConfig.responseJsonSchema',
};

/** The parameter that a refusal is about, which its message has in quotes. */
function readRefusal(door: DoorClient, error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name === 'AssertionError') return undefined;
  const { status, message } = door.readFailure(error);
  if (status !== 400 && status !== 422) return undefined;
  const name = /'([^']+)'/.exec(message)?.[1] ?? message;
  return OLDER_NAMES[name] ?? name;
}

const PATHS: [of: RegExp, dialect: string][] = [
  [/\/chat\/completions/, 'chat'],
  [/\/responses/, 'responses'],
  [/\/v1\/messages|[rR]awPredict/, 'messages'],
  [/[gG]enerateContent/, 'gemini'],
  [/\/converse/, 'converse'],
];

function dialectOf(path: string): string {
  return PATHS.find(([of]) => of.test(path))?.[1] ?? path;
}
