/** Rewrites every file that is derived from others or from what the code answers; read the diff before committing it. */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateTypes } from '../crds/generate.ts';
import { definition, kinds } from '../crds/v1alpha1/schema.ts';
import { answerTo } from './operator/plan/scene.ts';
import { goldens } from './sidecar/dataplane/kernel/rulesets.ts';

const root = join(import.meta.dirname, '..');

for (const kind of kinds) {
  writeFileSync(join(root, 'crds', 'v1alpha1', `${kind.toLowerCase()}.ts`), generateTypes(definition(kind)));
}

for (const file of globSync('test/operator/plan/**/*.in.yaml', { cwd: root })) {
  const scene = join(root, file);
  writeFileSync(scene.replace(/\.in\.yaml$/, '.out.yaml'), answerTo(readFileSync(scene, 'utf8')));
}

for (const { file, text } of goldens()) writeFileSync(join(root, 'test/sidecar/dataplane/kernel/rulesets', file), text);

execFileSync('biome', ['format', '--write', 'test/operator/plan'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
