/** What holds for every field of the custom resources, by the conventions of the Kubernetes API and of GitOps tools. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generateTypes } from '../../crds/generate.ts';
import { rules } from '../../crds/v1alpha1/rules.ts';
import { definition, kinds, type Rule, type Schema } from '../../crds/v1alpha1/schema.ts';

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly inList: boolean;
}

function fieldsOf(schema: Schema, path: string, inList = false): readonly Field[] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    fieldsOf(member, `${path}.${name}`, inList),
  );
  const items = schema.items ? fieldsOf(schema.items, `${path}[]`, true) : [];
  const values = schema.additionalProperties ? fieldsOf(schema.additionalProperties, `${path}{}`, inList) : [];
  return [{ path, schema, inList }, ...members, ...items, ...values];
}

const rulesOf = ({ schema }: Field): readonly Rule[] => schema['x-kubernetes-validations'] ?? [];

for (const kind of kinds) {
  const fields = fieldsOf(definition(kind).schema, kind);

  describe(`the definition of ${kind}`, () => {
    it('describes every field but metadata, where the API server allows nothing to be said', () => {
      assert.deepEqual(paths(fields.filter(({ schema }) => !schema.description)), [`${kind}.metadata`]);
    });

    it('bounds every list and says how it is merged', () => {
      const lists = fields.filter(({ schema }) => schema.type === 'array');
      assert.deepEqual(
        paths(lists.filter(({ schema }) => schema.maxItems === undefined || schema['x-kubernetes-list-type'] === undefined)),
        [],
      );
    });

    it('bounds every text and every map of the spec, so that the cost of its rules can be known', () => {
      const spec = fields.filter(({ path }) => path.startsWith(`${kind}.spec`));
      const texts = spec.filter(
        ({ schema: { type, maxLength, enum: words } }) => type === 'string' && maxLength === undefined && !words,
      );
      const maps = spec.filter(({ schema }) => schema.additionalProperties && schema.maxProperties === undefined);
      assert.deepEqual(paths([...texts, ...maps]), []);
    });

    it('has no default inside a list, which would show as a difference for ever', () => {
      assert.deepEqual(paths(fields.filter(({ inList, schema }) => inList && schema.default !== undefined)), []);
    });

    it('has no rule on an object with a default: the API server holds the default against it before its fields have theirs', () => {
      assert.deepEqual(
        paths(
          fields.filter(
            (field) => field.schema.default !== undefined && field.schema.type === 'object' && rulesOf(field).length > 0,
          ),
        ),
        [],
      );
    });

    it('has for each rule a predicate in TypeScript, and a message that says what to do', () => {
      const all = fields.flatMap(rulesOf);
      assert.ok(all.length > 5);
      assert.deepEqual(
        all.filter(({ message }) => !rules[message]),
        [],
      );
      assert.deepEqual(
        all.filter(({ message }) => !/^[^;]+; .+/.test(message)),
        [],
      );
    });

    it('puts each rule on a field that is there', () => {
      const known = new Set(paths(fields));
      const places = fields.flatMap((field) => rulesOf(field).map(({ fieldPath = '' }) => `${field.path}${fieldPath}`));
      assert.deepEqual(
        places.filter((place) => !known.has(place)),
        [],
      );
    });

    it('is what its types were generated from; npm run golden writes them anew', () => {
      const file = join(import.meta.dirname, '..', '..', 'crds', 'v1alpha1', `${kind.toLowerCase()}.ts`);
      assert.equal(readFileSync(file, 'utf8'), generateTypes(definition(kind)));
    });
  });
}

describe('the rules', () => {
  it('are all used by a definition', () => {
    const used = new Set(
      kinds.flatMap((kind) =>
        fieldsOf(definition(kind).schema, kind)
          .flatMap(rulesOf)
          .map(({ message }) => message),
      ),
    );
    assert.deepEqual(
      Object.keys(rules).filter((message) => !used.has(message)),
      [],
    );
  });
});

const paths = (fields: readonly Field[]): string[] => fields.map(({ path }) => path);
