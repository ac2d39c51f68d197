import OpenAI from 'openai';
import { TEST_KEY } from '../support/gateway.ts';
import { anthropicClient, anthropicDoor } from './anthropic/client.ts';
import type { DoorClient } from './door-client.ts';
import { googleClient, googleDoor } from './gemini/client.ts';
import { olderGoogleDoor } from './gemini/older-client.ts';
import { chatDoor } from './openai/door.ts';
import { responsesDoor } from './responses/client.ts';

/** Every door of a gateway, each with the official SDKs that are made for it. They do not retry: an error is to be seen as it comes. */
export function openDoors(url: string): DoorClient[] {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  return [
    chatDoor(openai),
    responsesDoor(openai),
    anthropicDoor(anthropicClient(url)),
    googleDoor(googleClient(url)),
    olderGoogleDoor(url),
  ];
}
