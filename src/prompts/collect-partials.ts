import { checkTemplate, type PartialCall, type TemplateNeeds } from './check-template.ts';
import type { TemplateText } from './counted-template.ts';
import { PromptFileError } from './problem.ts';
import { readPromptFile } from './prompt-file.ts';

/** A prompt's template with the partials that it needs, and those that they need; what all of them ask for. */
export interface CollectedPartials {
  template: TemplateText;
  /** By their whole names. */
  partials: ReadonlyMap<string, TemplateText>;
  /** Sources of their files, by their whole names. */
  files: Record<string, string>;
  /** Their templates by what they are called first, in the order of these names. */
  called: readonly (readonly [name: string, template: string])[];
  /** Somewhere it is said where an earlier conversation goes. */
  history: boolean;
  saysNothing: boolean;
  media: ReadonlySet<string>;
}

/** A partial that was read. */
interface Read extends TemplateText {
  needs: TemplateNeeds;
  /** What it is called first. */
  called: string;
}

/**
 * Reads the partials of a prompt. A partial is called by its whole name, or without the folder from another file of its folder; what is in
 * the folder of who calls goes first.
 *
 * @param prompt the name of the prompt
 * @param sources by their whole names; of one folder also without it, as versions of before have them
 * @throws PromptFileError
 */
export function collectPartials(
  prompt: string,
  template: string,
  needs: TemplateNeeds,
  sources: Readonly<Record<string, string>>,
): CollectedPartials {
  const read = new Map<string, Read>();
  const open = (caller: string, { partials }: TemplateNeeds): Map<string, string> =>
    new Map(partials.map((call) => [call.name, openPartial(caller, call)]));
  const openPartial = (caller: string, { name, line }: PartialCall): string => {
    const inFolder = folderOf(caller) + name;
    const whole = Object.hasOwn(sources, inFolder) ? inFolder : name;
    if (read.has(whole)) return whole;
    const source = Object.hasOwn(sources, whole) ? sources[whole] : undefined;
    if (source === undefined) throw new PromptFileError(`there is no partial '${name}'`, line);
    const partial = inPartial(whole, () => readPartial(source));
    const names = new Map<string, string>();
    read.set(whole, { ...partial, names, called: name });
    inPartial(whole, () => {
      for (const [called, one] of open(whole, partial.needs)) names.set(called, one);
    });
    return whole;
  };
  const names = open(prompt, needs);
  checkCycles(read);
  const all = [...read].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const allNeeds = [needs, ...all.map(([, one]) => one.needs)];
  return {
    template: { text: template, names },
    partials: read,
    files: Object.fromEntries(all.map(([name]) => [name, sources[name] ?? ''])),
    called: all
      .map(([, { called, text }]) => [called, text] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)),
    history: allNeeds.some(({ historyLine }) => historyLine !== undefined),
    saysNothing: allNeeds.every((one) => one.saysNothing),
    media: new Set(allNeeds.flatMap(({ media }) => [...media])),
  };
}

function readPartial(source: string): { text: string; needs: TemplateNeeds } {
  const { parsed, linesBefore } = readPromptFile(source);
  return { text: parsed.template, needs: checkTemplate(parsed.template, linesBefore) };
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}

/** Partials that call each other about the same thing, whatever the input is, never end. */
function checkCycles(read: ReadonlyMap<string, Read>): void {
  const done = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    const partial = read.get(name);
    if (!partial || done.has(name)) return;
    const way = [...above, name];
    for (const call of partial.needs.partials) {
      const inner = partial.names.get(call.name);
      if (inner === undefined || !call.isOfSame) continue;
      const from = way.indexOf(inner);
      if (from < 0) {
        visit(inner, way);
        continue;
      }
      const cycle = [...way.slice(from), inner].join(' → ');
      throw new PromptFileError(`partials call each other without an end: ${cycle}`, call.line, {
        partial: name,
      });
    }
    done.add(name);
  };
  for (const name of read.keys()) visit(name, []);
}

function inPartial<T>(partial: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // What is in a partial of a partial is told there.
    if (!(error instanceof PromptFileError) || error.partial !== undefined) throw error;
    throw new PromptFileError(error.reason, error.line, { partial, cause: error });
  }
}
