import type { FastifyInstance } from 'fastify';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/media/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { besideBody, OF_OPENAI } from './callers-headers.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';
import { readUpload, takeUploads } from './uploads.ts';

const DOORS: Readonly<Record<string, Pick<Door, 'operation' | 'relayedPlace'>>> = {
  '/v1/audio/transcriptions': { operation: 'transcribe', relayedPlace: 'transcribe' },
  '/v1/audio/translations': { operation: 'translate', relayedPlace: 'translate' },
  '/v1/images/edits': { operation: 'image_edit', relayedPlace: 'image_edit' },
  '/v1/images/variations': { operation: 'image_variation', relayedPlace: 'image_variation' },
};

/** What is asked for with a form that holds files. Some providers take JSON there as well (files by their URL). */
export function addMultipartDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    const config = { dialect: chat };
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    takeUploads(doors);
    for (const [path, what] of Object.entries(DOORS)) {
      const door: Door = { dialect: chat, passThrough, ...what };
      doors.post(path, { config }, (request, reply) =>
        takeCall(gateway, door, request, reply, {
          ...besideBody(request, OF_OPENAI),
          upload: readUpload(gateway, request),
        }),
      );
    }
  });
}
