import { mkdir, writeFile } from 'node:fs/promises';
import { renderSchemaFile } from '../src/config/json-schema.ts';

/* Writes schema/fairlead.schema.json, the JSON Schema of the config file for editors. */

const folder = new URL('../schema/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('fairlead.schema.json', folder), renderSchemaFile());
