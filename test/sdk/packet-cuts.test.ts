import { describe, test } from 'node:test';
import { scale } from '../support/scale.ts';
import { testFeatures, testText, testTools } from './door-bodies.ts';
import { openDoors } from './doors.ts';
import { inTurn, startWorld } from './support.ts';

/** Packets end anywhere: inside a character, between CR and LF, in the middle of a key. */
const world = await startWorld({ cutBytes: 3 });

/** The sample has what comes as a stream of many events; the shapes of single answers are the matrix's. */
const isWhole = scale({ sample: false, heavy: true });
const STREAMED = ['stream', 'parallel tools', 'reasoning'] as const;
const FEATURES = isWhole
  ? ([...STREAMED, 'text', 'one tool', 'tool results', 'structured output', 'stop reason', 'usage'] as const)
  : STREAMED;

for (const [at, door] of openDoors(world.url).entries()) {
  const asked = inTurn(world, at);
  describe(door.sdk, () => {
    testFeatures(asked, door, FEATURES);
    testText(asked, door);
    if (isWhole) testTools(asked, door);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
