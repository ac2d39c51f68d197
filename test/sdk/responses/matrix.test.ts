import { test } from 'node:test';
import { testMedia, testReasoning, testStructuredOutput, testText, testTools } from '../door-bodies.ts';
import { startWorld } from '../support.ts';
import { responsesDoor } from './client.ts';

const world = await startWorld();
const door = responsesDoor(world.client);

testText(world, door);
testTools(world, door);
testReasoning(world, door);
testMedia(world, door);
testStructuredOutput(world, door);

test('the usage records say what the providers served', () => world.checkBooks());
