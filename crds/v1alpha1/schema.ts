/** OpenAPI v3 as structural schemas of CustomResourceDefinitions use it, and the definitions on disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

/** A validation in the Common Expression Language. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

export interface Definition {
  readonly kind: Kind;
  readonly apiVersion: string;
  readonly schema: Schema;
}

export const kinds = ['VpnGateway', 'TicketKey'] as const;
export type Kind = (typeof kinds)[number];

/** The definition of a kind, read from `crds/`. */
export function definition(kind: Kind): Definition {
  const file = join(import.meta.dirname, '..', `${kind.toLowerCase()}.yaml`);
  return interpret(kind, load(readFileSync(file, 'utf8')) as CustomResourceDefinition);
}

interface CustomResourceDefinition {
  readonly spec: {
    readonly group: string;
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

function interpret(kind: Kind, { spec }: CustomResourceDefinition): Definition {
  const [version] = spec.versions;
  if (!version) throw new Error(`the definition of ${kind} has no version`);
  return { kind, apiVersion: `${spec.group}/${version.name}`, schema: version.schema.openAPIV3Schema };
}
