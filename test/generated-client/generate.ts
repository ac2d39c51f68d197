import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript';

/** The types of a client, as anybody's build makes them: `npx openapi-typescript URL`. */
export async function generateTypes(description: object): Promise<string> {
  return astToString(await openapiTypescript(description as OpenAPI3));
}
