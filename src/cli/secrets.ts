import { parseArgs } from 'node:util';
import { ADMIN_OPTIONS, ADMIN_USAGE, connectAdmin } from './admin-client.ts';
import { type CliIo, type Command, EXIT } from './command.ts';
import { runParsed } from './run-parsed.ts';

const USAGE = `secrets rotate [--url URL] [--admin-key KEY]

Encrypts every credential that a running gateway has stored once more, under its newest secret. First restart every
instance with the new secret as FAIRLEAD_SECRET and the old one as FAIRLEAD_SECRET_PREVIOUS, one after the other: calls
go on. After this command FAIRLEAD_SECRET_PREVIOUS is needed no more. To run it again does no harm.

${ADMIN_USAGE}

Exit code: 0 done (also where nothing had to be), 1 the gateway refused or cannot be reached, 2 the command line is wrong.
`;

/** `fairlead secrets`. */
export const secretsCommand: Command = {
  name: 'secrets',
  summary: 'encrypt the stored credentials of a running gateway under a new secret',
  usage: USAGE,
  run: runSecrets,
};

async function runSecrets(args: string[], io: CliIo): Promise<number> {
  return runParsed(
    { name: 'secrets', usage: USAGE, io },
    () => parseArgs({ args, options: ADMIN_OPTIONS, allowPositionals: true }),
    ({ positionals }) => findMistake(positionals),
    async ({ values }) => {
      const answer = await connectAdmin(values, io).ask('POST', '/secrets/rotate', {});
      const { entries, history, unreadable, revision } = answer;
      io.stdout.write(
        Number(entries) === 0 && Number(history) === 0
          ? 'Everything is encrypted under FAIRLEAD_SECRET already.\n'
          : `Encrypted again: ${entries} entries (providers, keys), and ${history} changes of earlier revisions. Revision ${revision} is in force.\n`,
      );
      if (Number(unreadable) > 0) {
        io.stderr.write(
          `fairlead secrets: ${unreadable} credentials of earlier revisions are encrypted under a secret that the gateway does not have; those revisions cannot be restored.\n`,
        );
      }
      return EXIT.ok;
    },
  );
}

function findMistake([word, ...others]: string[]): string | undefined {
  return word === 'rotate' && others.length === 0 ? undefined : 'say what to do: rotate';
}
