import { DOORS } from '../../test/sdk/matrix/outcomes.ts';
import { renderDoor } from './doors.ts';
import { renderOperations } from './operations.ts';
import { renderParameters } from './parameters.ts';
import { renderQuirks } from './quirks.ts';

/**
 * The text of docs/compatibility.md, from the outcomes that the matrix test has observed, the tables of the codecs and the
 * declarations of the providers.
 */
export function renderCompatibilityPage(): string {
  return `${[HEAD, ...DOORS.map(renderDoor), renderOperations(), renderParameters(), renderQuirks()].join('\n\n')}\n`;
}

const HEAD = `# Compatibility

<!-- Made by \`npm run compatibility\`. Changes by hand are lost. -->

What each door can do with each kind of provider. The tables are what \`test/sdk/matrix\` has seen with the official SDKs
(\`openai\`, \`@anthropic-ai/sdk\`, \`@google/genai\`, \`@google/generative-ai\`) against strict fakes of the providers; a test holds the page to it.
Whether a certain model sees images, calls tools or thinks is the model's own matter.

| word | meaning |
| --- | --- |
| native | the provider speaks the door's own dialect: bytes pass through |
| translated | another dialect is spoken there; the meaning is the same |
| dropped | the call is made without a part of it, which is named in \`x-fairlead-dropped\` |
| refused | a 400 that names the parameter, or another target is tried: the answer would have been another one |
| not shown | the provider keeps it to itself |

What the features mean: **tool results** go back in parallel and are answered; **reasoning** is shown, and goes back (signed, where the provider
signs it) through two rounds of tools; **stop reason** is the token limit, a stop sequence and a filter; **usage** is told to the client, whole and
streamed; **error** is a typed error of the SDK before and in the middle of a stream; **cancel** stops the provider.`;
