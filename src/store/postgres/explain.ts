/** What a start that fails is to be told: by SQLSTATE (postgresql.org, "Appendix A. Error Codes") or Node's code. */
const REASONS: Readonly<Record<string, (names: Names) => string>> = {
  '28P01': ({ user }) => `it refuses the user '${user}': the password is wrong`,
  '28000': ({ user }) => `it does not admit the user '${user}' from here (pg_hba.conf)`,
  '3D000': ({ database }) => `the server has no such database. Create it: createdb ${database}`,
  '42501': ({ user }) =>
    `the user '${user}' may not make tables in it. Let it: grant create on schema public to "${user}"`,
  '53300': () => 'the server has no connection left',
  '57P03': () => 'the server is starting or stopping',
  ECONNREFUSED: () => 'nothing listens there. Is the server running?',
  ENOTFOUND: () => 'there is no host of this name',
  EAI_AGAIN: () => "the host's name cannot be looked up now",
  EHOSTUNREACH: () => 'there is no way to the host',
  ENETUNREACH: () => 'there is no way to the host',
  ETIMEDOUT: () => 'the server does not answer',
  ECONNRESET: () => 'the server closed the connection',
};

interface Names {
  user: string;
  database: string;
}

/** The reason why a database cannot be opened, in words that say what to do. */
export function explainFailure(error: unknown, names: Names): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const explain = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  if (explain) return explain(names);
  const message = error instanceof Error ? error.message : String(error);
  return /timeout/i.test(message) ? 'the server does not answer' : message;
}
