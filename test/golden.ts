/** Rewrites every file that is derived from others or from what the code answers; read the diff before committing it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateTypes } from '../crds/generate.ts';
import { definition, kinds } from '../crds/v1alpha1/schema.ts';

const root = join(import.meta.dirname, '..');

for (const kind of kinds) {
  writeFileSync(join(root, 'crds', 'v1alpha1', `${kind.toLowerCase()}.ts`), generateTypes(definition(kind)));
}
