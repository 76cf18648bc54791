/** What holds for the pods of every scene: each container has the privileges and the files that it needs, and no others. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { podTemplate } from '../../../operator/plan/manifests/pod-template.ts';
import { observedFrom, PLACEMENT } from './scene.ts';

interface Container {
  readonly name: string;
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly runAsUser?: number;
    readonly runAsNonRoot?: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly ports?: readonly unknown[];
  readonly restartPolicy?: string;
  readonly resources: { readonly limits?: Readonly<Record<string, unknown>> };
}

interface Volume {
  readonly name: string;
  readonly secret?: { readonly items?: readonly { readonly path: string }[] };
  readonly emptyDir?: { readonly medium: string };
}

interface PodSpec {
  readonly initContainers: readonly [Container];
  readonly containers: readonly [Container];
  readonly volumes: readonly Volume[];
  readonly securityContext: Readonly<Record<string, unknown>>;
}

const gateways: readonly VpnGateway[] = globSync('gateway/*.in.yaml', { cwd: import.meta.dirname })
  .map((file) => observedFrom(readFileSync(join(import.meta.dirname, file), 'utf8')).resource)
  .filter((resource): resource is VpnGateway => resource.kind === 'VpnGateway');

const specs = gateways.map((gateway) => podTemplate(gateway, PLACEMENT).spec as unknown as PodSpec);

describe('a gateway pod', () => {
  it('has an agent that outlives the sidecar, and no third container', () => {
    assert.ok(specs.length > 10);
    for (const { initContainers, containers } of specs) {
      assert.deepEqual(
        initContainers.map(({ name, restartPolicy }) => [name, restartPolicy]),
        [['agent', 'Always']],
      );
      assert.deepEqual(
        containers.map(({ name }) => name),
        ['sidecar'],
      );
    }
  });

  it('gives the sidecar no capability, no root and nothing to write to', () => {
    for (const { containers, securityContext } of specs) {
      const [{ securityContext: own, volumeMounts }] = containers;
      assert.deepEqual(own, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      assert.deepEqual([securityContext['runAsNonRoot'], securityContext['runAsUser']], [true, 65_532]);
      assert.deepEqual(securityContext['seccompProfile'], { type: 'RuntimeDefault' });
      assert.deepEqual(
        volumeMounts.filter(({ readOnly }) => readOnly !== true),
        [],
      );
    }
  });

  it('gives the agent NET_ADMIN and no port', () => {
    for (const { initContainers } of specs) {
      const [{ securityContext, ports }] = initContainers;
      assert.deepEqual(securityContext, {
        runAsNonRoot: false,
        runAsUser: 0,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
      });
      assert.equal(ports, undefined);
    }
  });

  it('shows the agent its own file and the socket, and nothing that is secret', () => {
    for (const { initContainers, volumes } of specs) {
      const seen = initContainers[0].volumeMounts.map((mount) => volumes.find(({ name }) => name === mount.name));
      assert.deepEqual(
        seen.map((volume) => volume?.secret?.items?.map(({ path }) => path) ?? volume?.emptyDir?.medium),
        [['dataplane.yaml'], 'Memory'],
      );
    }
  });

  it('shows the sidecar nothing of what bounds the agent', () => {
    for (const { containers, volumes } of specs) {
      const seen = containers[0].volumeMounts.map((mount) => volumes.find(({ name }) => name === mount.name));
      assert.ok(!seen.some((volume) => volume?.secret?.items?.some(({ path }) => path === 'dataplane.yaml')));
      assert.deepEqual(
        seen.find((volume) => volume?.name === 'config')?.secret?.items?.map(({ path }) => path),
        ['gateway.yaml'],
      );
    }
  });

  it('shares nothing with its node, whatever the spec says', () => {
    for (const spec of specs) {
      for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'])
        assert.ok(!(field in spec), `${field} is set`);
      assert.ok(!spec.volumes.some((volume) => 'hostPath' in volume));
    }
  });

  it('asks for the device in the agent alone, and never for the kernel data plane', () => {
    gateways.forEach(({ spec: { dataplane, userspace } }, index) => {
      const { initContainers, containers } = specs[index] ?? assert.fail();
      const device = userspace.deviceResource;
      if (device === undefined) return;
      assert.equal(initContainers[0].resources.limits?.[device], dataplane === 'kernel' ? undefined : '1');
      assert.equal(containers[0].resources.limits?.[device], undefined);
    });
  });
});
