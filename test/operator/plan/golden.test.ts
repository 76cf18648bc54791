/** Every scene has the answer that stands beside it; `npm run golden` writes them anew. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { load } from 'js-yaml';
import { answerTo } from './scene.ts';

const scenes = globSync('*/*.in.yaml', { cwd: import.meta.dirname }).sort();
const answers = globSync('*/*.out.yaml', { cwd: import.meta.dirname });

describe('the plan', () => {
  for (const scene of scenes) {
    it(`${dirname(scene)} ${basename(scene, '.in.yaml').replaceAll('-', ' ')}`, () => {
      const answer = answerTo(readFileSync(join(import.meta.dirname, scene), 'utf8'));
      assert.deepEqual(load(answer), load(readFileSync(join(import.meta.dirname, answerOf(scene)), 'utf8')));
    });
  }

  it('has no answer without a scene', () => {
    const orphans = answers.filter((answer) => !existsSync(join(import.meta.dirname, answer.replace('.out.yaml', '.in.yaml'))));
    assert.deepEqual(orphans, []);
  });
});

const answerOf = (scene: string): string => scene.replace('.in.yaml', '.out.yaml');
