import { test } from 'node:test';
import { testFeatures, testMedia, testReasoning, testText, testTools } from '../door-bodies.ts';
import { startWorld } from '../support.ts';
import { anthropicClient, anthropicDoor } from './client.ts';

const world = await startWorld();
const door = anthropicDoor(anthropicClient(world.url));

testText(world, door);
testTools(world, door);
testFeatures(world, door, ['reasoning']);
testReasoning(world, door);
testMedia(world, door);

test('the usage records say what the providers served', () => world.checkBooks());
