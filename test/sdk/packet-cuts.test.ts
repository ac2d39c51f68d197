import { describe, test } from 'node:test';
import { testFeatures, testText, testTools } from './door-bodies.ts';
import { openDoors } from './doors.ts';
import { startWorld } from './support.ts';

/** Packets end anywhere: inside a character, between CR and LF, in the middle of a key. */
const world = await startWorld({ cutBytes: 3 });

for (const door of openDoors(world.url)) {
  describe(door.sdk, () => {
    testFeatures(world, door, [
      'text',
      'stream',
      'one tool',
      'parallel tools',
      'tool results',
      'structured output',
      'reasoning',
      'stop reason',
      'usage',
    ]);
    testText(world, door);
    testTools(world, door);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
