/** Writes the TypeScript types of a custom resource from its schema; `npm run golden` runs it, a test notices drift. */
import type { Definition, Schema } from './v1alpha1/schema.ts';

/** The whole source file. A field with a default counts as present, since the API server and the local mode fill it in. */
export function generateTypes({ kind, apiVersion, schema }: Definition): string {
  const { spec, status } = schema.properties ?? {};
  if (!spec || !status) throw new Error(`${kind}: its schema needs spec and status`);
  return [
    `/** The custom resource ${kind}. Generated from crds/${kind.toLowerCase()}.yaml by \`npm run golden\`; change that file instead. */`,
    '// biome-ignore-all format: generated',
    `import type { Metadata } from './metadata.ts';`,
    '',
    ...doc(schema, ''),
    `export interface ${kind} {`,
    `  readonly apiVersion: '${apiVersion}';`,
    `  readonly kind: '${kind}';`,
    '  readonly metadata: Metadata;',
    `  readonly spec: ${kind}Spec;`,
    `  readonly status?: ${kind}Status;`,
    '}',
    '',
    ...doc(spec, ''),
    `export interface ${kind}Spec ${typeOf(spec, '')}`,
    '',
    ...doc(status, ''),
    `export interface ${kind}Status ${typeOf(status, '')}`,
    '',
  ].join('\n');
}

function typeOf(schema: Schema, indent: string): string {
  if (schema['x-kubernetes-int-or-string']) return 'number | string';
  if (schema.enum) return schema.enum.map((word) => `'${word}'`).join(' | ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
      return schema.type;
    case 'integer':
      return 'number';
    case 'array':
      return `readonly ${element(typeOf(schema.items ?? {}, indent))}[]`;
    default:
      return objectType(schema, indent);
  }
}

function objectType(schema: Schema, indent: string): string {
  if (schema.additionalProperties) return `Readonly<Record<string, ${typeOf(schema.additionalProperties, indent)}>>`;
  if (!schema.properties) return 'Readonly<Record<string, unknown>>';
  const inner = `${indent}  `;
  const members = Object.entries(schema.properties).flatMap(([name, member]) => {
    const present = schema.required?.includes(name) || member.default !== undefined;
    return [...doc(member, inner), `${inner}readonly ${name}${present ? '' : '?'}: ${typeOf(member, inner)};`];
  });
  return ['{', ...members, `${indent}}`].join('\n');
}

const element = (type: string): string => (type.includes(' | ') && !type.startsWith('{') ? `(${type})` : type);

const doc = ({ description }: Schema, indent: string): string[] => (description ? [`${indent}/** ${description} */`] : []);
