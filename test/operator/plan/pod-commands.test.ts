/** The programs take the command lines that pods give them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { podTemplate } from '../../../operator/plan/manifests/pod-template.ts';
import { parseCommandLine } from '../../../sidecar/shell/options.ts';
import { observedFrom, PLACEMENT } from './scene.ts';

interface Containers {
  readonly containers: readonly [{ readonly args: readonly string[] }];
}

it('every gateway pod has a sidecar with a command line that the sidecar takes, with an agent and without', () => {
  let seen = 0;
  for (const file of globSync('gateway/*.in.yaml', { cwd: import.meta.dirname })) {
    const { resource } = observedFrom(readFileSync(join(import.meta.dirname, file), 'utf8'));
    if (resource.kind !== 'VpnGateway') continue;
    for (const hasAgents of [true, false]) {
      const { containers } = podTemplate(resource, { ...PLACEMENT, hasAgents }).spec as unknown as Containers;
      const surroundings = { env: { POD_UID: 'uid' }, hostname: `${resource.metadata.name}-1`, version: 'test' };
      const parsed = parseCommandLine(containers[0].args, surroundings);
      assert.ok(parsed.do === 'run', JSON.stringify(parsed));
      assert.equal(parsed.options.agent !== undefined, hasAgents);
      seen += 1;
    }
  }
  assert.ok(seen > 20);
});
