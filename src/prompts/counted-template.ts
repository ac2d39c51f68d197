import Handlebars from 'handlebars';
import { ESCAPE, hideMarks } from './marks.ts';

/** Names of helpers that a template is given, and cannot name itself: it may not hold this character. */
export const COUNTED = {
  write: `${ESCAPE}write`,
  content: `${ESCAPE}content`,
  partial: `${ESCAPE}partial`,
  merge: `${ESCAPE}merge`,
  indent: `${ESCAPE}indent`,
  eachText: `${ESCAPE}eachText`,
} as const;

/** A template, or a partial. */
export interface TemplateText {
  text: string;
  /** Whole names of partials by what it calls them. */
  names: ReadonlyMap<string, string>;
}

/**
 * Reads a template (or a partial) so that whatever it writes is counted before it is written: by the helpers of `COUNTED`, which the
 * template is made to call. Its own texts are hidden like those that come from outside, so that both compare as they are.
 *
 * @param helpers what is a helper where it is named alone, as in `{{history}}`
 */
export function parseCounted({ text, names }: TemplateText, helpers: ReadonlySet<string>): hbs.AST.Program {
  const program = Handlebars.parse(text);
  new Counter(helpers, names).accept(program);
  program.body.unshift(call(COUNTED.partial, [], program.loc));
  return program;
}

class Counter extends Handlebars.Visitor {
  /** Nodes that are returned stand where those were that are visited. */
  readonly mutating = true;
  readonly #helpers: ReadonlySet<string>;
  readonly #partials: TemplateText['names'];
  /** Names that the blocks around have given to their items. */
  readonly #blockParams: string[] = [];
  /** What was met that begins a message, or may. */
  #beginnings = 0;

  constructor(helpers: ReadonlySet<string>, partials: TemplateText['names']) {
    super();
    this.#helpers = helpers;
    this.#partials = partials;
  }

  override Program(program: hbs.AST.Program): void {
    const params = program.blockParams ?? [];
    const outer = this.#blockParams.length;
    for (const name of params) this.#blockParams.push(name);
    super.Program(program);
    this.#blockParams.length = outer;
    let characters = 0;
    for (const node of program.body)
      if (node.type === 'ContentStatement') characters += (node as hbs.AST.ContentStatement).value.length;
    if (characters > 0)
      program.body.unshift(call(COUNTED.content, [numberLiteral(characters, program.loc)], program.loc));
  }

  override BlockStatement(node: hbs.AST.BlockStatement): void {
    const before = this.#beginnings;
    super.BlockStatement(node);
    const { original } = node.path as hbs.AST.PathExpression;
    if (original === 'each' && this.#beginnings === before)
      Object.assign(node, { path: name(COUNTED.eachText, node.loc) });
  }

  override MustacheStatement(mustache: hbs.AST.MustacheStatement): hbs.AST.MustacheStatement {
    super.MustacheStatement(mustache);
    const { params, hash, loc } = mustache;
    // Handlebars has a literal here as the name of a field.
    const path = mustache.path.type === 'PathExpression' ? mustache.path : pathTo(mustache.path);
    const isCall = params.length > 0 || (hash?.pairs.length ?? 0) > 0 || this.#isHelper(path);
    const { original } = path as hbs.AST.PathExpression;
    if (isCall && (original === 'role' || original === 'history')) this.#beginnings += 1;
    const value = isCall ? subExpression(path as hbs.AST.PathExpression, params, hash, loc) : path;
    return call(COUNTED.write, [value], loc);
  }

  override PartialStatement(partial: hbs.AST.PartialStatement): hbs.AST.Statement {
    super.PartialStatement(partial);
    this.#beginnings += 1;
    const { loc } = partial as hbs.AST.Node;
    const { original } = partial.name as hbs.AST.PathExpression;
    partial.name = name(this.#partials.get(String(original)) ?? original, loc);
    const { hash, indent } = partial as hbs.AST.PartialStatement & { indent?: string };
    if ((hash?.pairs.length ?? 0) > 0) {
      const context = partial.params[0] ?? thisPath(loc);
      partial.params = [subExpression(name(COUNTED.merge, loc), [context], hash, loc)];
      Object.assign(partial, { hash: undefined });
    }
    if (indent === undefined || indent === '') return partial;
    Object.assign(partial, { indent: '' });
    return block(COUNTED.indent, [stringLiteral(indent, loc), thisPath(loc)], partial);
  }

  override StringLiteral(literal: hbs.AST.StringLiteral): void {
    literal.value = hideMarks(literal.value);
  }

  #isHelper(path: hbs.AST.Expression): boolean {
    const { parts, depth, data, original } = path as hbs.AST.PathExpression;
    const [one = ''] = parts;
    const isPlain = parts.length === 1 && depth === 0 && !data && !/^\.|^this\b/.test(original);
    return isPlain && this.#helpers.has(one) && !this.#blockParams.includes(one);
  }
}

type Location = hbs.AST.SourceLocation;

const NO_STRIP = { open: false, close: false };

function call(helper: string, params: hbs.AST.Expression[], loc: Location): hbs.AST.MustacheStatement {
  const node = { type: 'MustacheStatement' as const, path: name(helper, loc), params, loc };
  return { ...node, escaped: false, strip: NO_STRIP } as unknown as hbs.AST.MustacheStatement;
}

function subExpression(
  path: hbs.AST.PathExpression,
  params: hbs.AST.Expression[],
  hash: hbs.AST.Hash,
  loc: Location,
): hbs.AST.SubExpression {
  return { type: 'SubExpression', path, params, hash, loc };
}

function block(
  helper: string,
  params: hbs.AST.Expression[],
  inner: hbs.AST.Statement,
): hbs.AST.BlockStatement {
  const { loc } = inner;
  const program = { type: 'Program', body: [inner], blockParams: [], strip: {}, loc };
  const strips = { openStrip: NO_STRIP, inverseStrip: NO_STRIP, closeStrip: NO_STRIP };
  const node = { type: 'BlockStatement', path: name(helper, loc), params, program, ...strips, loc };
  return node as unknown as hbs.AST.BlockStatement;
}

function name(original: string, loc: Location): hbs.AST.PathExpression {
  return { type: 'PathExpression', original, parts: [original], depth: 0, data: false, loc };
}

function thisPath(loc: Location): hbs.AST.PathExpression {
  return { type: 'PathExpression', original: 'this', parts: [], depth: 0, data: false, loc };
}

function pathTo(literal: hbs.AST.Expression): hbs.AST.PathExpression {
  return name(String((literal as hbs.AST.StringLiteral).original), literal.loc);
}

function stringLiteral(value: string, loc: Location): hbs.AST.StringLiteral {
  return { type: 'StringLiteral', value, original: value, loc };
}

function numberLiteral(value: number, loc: Location): hbs.AST.NumberLiteral {
  return { type: 'NumberLiteral', value, original: value, loc };
}
