import { REDACTED } from '../upstream/secrets.ts';

/**
 * Where providers say in an error whose account it was: which organisation, project or subscription of the operator's. Tenants have their
 * own; the log has the words as they came.
 *
 * Sources: OpenAI, "Error codes" and "Rate limits" (`in organization org-…`, `Project \`proj_…\``); Groq's the same with `org_`; Anthropic,
 * "Errors" (an organisation's UUID in brackets); Google, `google.rpc.ErrorInfo` (`consumer`: `projects/NUMBER`) and resource names;
 * AWS, "Amazon Resource Names" (the account's twelve digits).
 */
const PLACES: readonly RegExp[] = [
  /(\b(?:organi[sz]ation|org|project|workspace|subscription)(?: id)?[\s:=(`'"]{1,4})(?:(?:org[-_]|proj_|wrkspc_)[\w-]+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})/gi,
  /(\b(?:project_number:|projects\/))[\w-]+/g,
  /(\barn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}(?=:)/g,
];

/** A provider's words about an error without the ids of the operator's account. */
export function withoutAccountIds(text: string): string {
  return PLACES.reduce((told, place) => told.replace(place, `$1${REDACTED}`), text);
}
