import type { Tool } from '../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/**
 * Function tools as OpenAI's models get to see them: TypeScript types in a namespace. OpenAI does not document it, but
 * the models write it out when they are asked, and the counts that the API reports agree
 * (community.openai.com/t/266573; test/tokens/recorded-counts.test.ts).
 */
export function writeToolTypes(tools: readonly TypedTool[]): string {
  return `namespace functions {\n\n${tools.map(writeToolType).join('\n')}\n} // namespace functions`;
}

type TypedTool = Exclude<Tool, { type: 'opaque' }>;

export function takesArguments(tool: TypedTool): boolean {
  const properties = tool.type === 'function' ? tool.schema?.properties : undefined;
  return isObject(properties) && Object.keys(properties).length > 0;
}

/** Whether these types say all that the tool does. What they leave out (formats, bounds, descriptions of items) a server may write in some other way. */
export function saysAll(tool: TypedTool): boolean {
  if (tool.type === 'custom') return tool.format === undefined || tool.format['type'] === 'text';
  const { schema } = tool;
  if (schema === undefined) return true;
  return isWritten(schema, false) && (schema['type'] === undefined || schema['type'] === 'object');
}

/** `isField`: it is a property, whose description is written. */
function isWritten(schema: JsonValue | undefined, isField: boolean): boolean {
  if (!isObject(schema)) return false;
  return Object.entries(schema).every(([key, value]) => {
    switch (key) {
      case 'type':
      case 'enum':
      case 'const':
      case 'additionalProperties':
      case 'required':
        return !isObject(value) && !(Array.isArray(value) && value.some((one) => typeof one === 'object'));
      case 'description':
        return isField && typeof value === 'string';
      case 'properties':
        return (
          schema['type'] === 'object' &&
          isObject(value) &&
          Object.values(value).every((field) => isWritten(field, true))
        );
      case 'items':
        return schema['type'] === 'array' && isWritten(value, false);
      case 'anyOf':
      case 'oneOf':
        return Array.isArray(value) && value.every((one) => isWritten(one, false));
      default:
        return false;
    }
  });
}

function writeToolType(tool: TypedTool): string {
  const description = tool.description ? writeComment(tool.description, '') : '';
  if (tool.type === 'custom') return `${description}type ${tool.name} = (_: string) => any;\n`;
  const fields = writeFields(tool.schema ?? {}, '');
  return fields === ''
    ? `${description}type ${tool.name} = () => any;\n`
    : `${description}type ${tool.name} = (_: {\n${fields}}) => any;\n`;
}

/** Further lines of a description stand as they are: only the first is marked. */
function writeComment(text: string, indent: string): string {
  return `${indent}// ${text}\n`;
}

function writeFields(schema: JsonObject, indent: string): string {
  const { properties, required } = schema;
  if (!isObject(properties)) return '';
  const needed = Array.isArray(required) ? required : [];
  let text = '';
  for (const [name, field] of Object.entries(properties)) {
    const shape = isObject(field) ? field : {};
    if (typeof shape.description === 'string') text += writeComment(shape.description, indent);
    text += `${indent}${name}${needed.includes(name) ? '' : '?'}: ${writeType(shape, indent)},\n`;
  }
  return text;
}

function writeType(schema: JsonObject, indent: string): string {
  const options = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (Array.isArray(options)) return options.map((option) => JSON.stringify(option)).join(' | ');
  const union = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(union))
    return union.map((one) => writeType(isObject(one) ? one : {}, indent)).join(' | ');
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => writeType({ ...schema, type }, indent)).join(' | ');
  }
  return writeNamedType(schema.type, schema, indent);
}

function writeNamedType(type: JsonValue | undefined, schema: JsonObject, indent: string): string {
  switch (type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return isObject(schema.items) ? `${writeType(schema.items, indent)}[]` : 'any[]';
    case 'object': {
      const fields = writeFields(schema, `${indent}  `);
      return fields === '' ? 'object' : `{\n${fields}${indent}}`;
    }
    default:
      return typeof type === 'string' ? type : 'any';
  }
}
