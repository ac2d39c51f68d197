import { type AdminDoor, door } from './admin-door.ts';

/** Doors about the credentials of upstream accounts. */
export const CREDENTIAL_DOORS: readonly AdminDoor[] = [
  door({
    method: 'POST',
    path: '/secrets/rotate',
    role: 'owner',
    summary:
      'Encrypts every stored credential under FAIRLEAD_SECRET, what was encrypted under FAIRLEAD_SECRET_PREVIOUS too',
    handle: async ({ parts, author }) => {
      const { revision, changes, history } = await parts.control.rotateSecret(author);
      return { body: { revision, entries: changes.length, history }, revision };
    },
  }),
];
