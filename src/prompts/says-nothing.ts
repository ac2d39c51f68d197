import Handlebars from 'handlebars';

/** Whether a template has nothing that could stand in a message, whatever its input: no text, no value, no medium, no history. Partials are others' to look at. */
export function saysNothing(program: hbs.AST.Program): boolean {
  const finder = new Finder();
  finder.accept(program);
  return !finder.hasFound;
}

class Finder extends Handlebars.Visitor {
  hasFound = false;

  override ContentStatement({ value }: hbs.AST.ContentStatement): void {
    if (value.trim() !== '') this.hasFound = true;
  }

  override MustacheStatement({ path }: hbs.AST.MustacheStatement): void {
    const isRole = path.type === 'PathExpression' && (path as hbs.AST.PathExpression).original === 'role';
    if (!isRole) this.hasFound = true;
  }
}
