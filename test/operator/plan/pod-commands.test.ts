/** The programs take the command lines that pods give them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { podTemplate } from '../../../operator/plan/manifests/pod-template.ts';
import { parseCommandLine as parseAgent } from '../../../sidecar/dataplane/kernel/agent-options.ts';
import { parseCommandLine as parseSidecar } from '../../../sidecar/shell/options.ts';
import { observedFrom, PLACEMENT } from './scene.ts';

interface Container {
  readonly args: readonly string[];
}

interface Containers {
  readonly initContainers?: readonly [Container];
  readonly containers: readonly [Container];
}

const gateways: readonly VpnGateway[] = globSync('gateway/*.in.yaml', { cwd: import.meta.dirname })
  .map((file) => observedFrom(readFileSync(join(import.meta.dirname, file), 'utf8')).resource)
  .filter((resource): resource is VpnGateway => resource.kind === 'VpnGateway');

describe('the command line of a pod', () => {
  for (const hasAgents of [true, false]) {
    it(`is one that the sidecar takes ${hasAgents ? 'with' : 'without'} an agent`, () => {
      assert.ok(gateways.length > 10);
      for (const gateway of gateways) {
        const surroundings = { env: { POD_UID: 'uid' }, hostname: `${gateway.metadata.name}-1`, version: 'test' };
        const parsed = parseSidecar(containersOf(gateway, hasAgents).containers[0].args, surroundings);
        assert.ok(parsed.do === 'run', JSON.stringify(parsed));
        assert.equal(parsed.options.agent !== undefined, hasAgents);
      }
    });
  }

  it('is one that the agent takes, which lets the sidecar in and nobody else but root', () => {
    for (const gateway of gateways) {
      const parsed = parseAgent(containersOf(gateway, true).initContainers?.[0].args ?? [], { uid: 0 });
      assert.ok(parsed.do === 'run', JSON.stringify(parsed));
      const { allowUids, socketMode, metrics } = parsed.options;
      assert.deepEqual([allowUids, socketMode, metrics], [[0, 65_532], 0o660, undefined]);
    }
  });

  it('has agent and sidecar meet', () => {
    for (const gateway of gateways) {
      const { initContainers, containers } = containersOf(gateway, true);
      const after = (args: readonly string[], flag: string) => args[args.indexOf(flag) + 1];
      assert.equal(after(containers[0].args, '--agent'), after(initContainers?.[0].args ?? [], '--socket'));
    }
  });
});

const containersOf = (gateway: VpnGateway, hasAgents: boolean): Containers =>
  podTemplate(gateway, { ...PLACEMENT, hasAgents }).spec as unknown as Containers;
