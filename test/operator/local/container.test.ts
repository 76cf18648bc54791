/** From a pod's JSON to a command line on this machine. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gatewayContainer } from '../../../operator/local/container.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';

const pod = (container: object): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'office-3', namespace: 'vpn', uid: 'u-1', labels: { colour: 'blue' } },
  spec: {
    containers: [
      { name: 'other', args: ['--x'] },
      { name: 'sidecar', ...container },
    ],
  },
  status: { podIP: '127.0.0.13' },
});

const onDisk = (volume: string) => `/state/${volume}`;

describe('container', { timeout: 10_000 }, () => {
  it('is the one that is told by --config what it is', () => {
    assert.equal(gatewayContainer(pod({ args: ['--config', '/c'] }), onDisk).name, 'sidecar');
    assert.throws(() => gatewayContainer(pod({ args: [] }), onDisk), /no container runs the sidecar/);
  });

  it('finds its files where they are on this machine, by the longest mount', () => {
    const { args } = gatewayContainer(
      pod({
        args: [
          '--config=/etc/rk/config/gateway.yaml',
          '--key-ring',
          '/etc/rk/ring/key-ring.yaml',
          '--psk-dir',
          '/etc/rk',
          '--other',
          '/etc/rkx',
        ],
        volumeMounts: [
          { name: 'all', mountPath: '/etc/rk' },
          { name: 'config', mountPath: '/etc/rk/config' },
          { name: 'ring', mountPath: '/etc/rk/ring' },
        ],
      }),
      onDisk,
    );
    assert.deepEqual(args.slice(0, 7), [
      '--config=/state/config/gateway.yaml',
      '--key-ring',
      '/state/ring/key-ring.yaml',
      '--psk-dir',
      '/state/all',
      '--other',
      '/etc/rkx',
    ]);
  });

  it('is told which pod it is: all processes here share a host name and a network', () => {
    const { args } = gatewayContainer(pod({ args: ['--config', '/c', '--ordinal-from-hostname'] }), onDisk);
    assert.deepEqual(args, [
      '--config',
      '/c',
      '--ordinal',
      '3',
      '--pod-uid',
      'u-1',
      '--address',
      '127.0.0.13',
      '--http-address',
      '127.0.0.13',
    ]);
  });

  it('has the environment of the downward API, expanded as Kubernetes does', () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const env = [
      field('IP', 'status.podIP'),
      field('COLOUR', "metadata.labels['colour']"),
      { name: 'BOTH', value: '$(IP)/$(COLOUR)/$(NONE)/$$(IP)' },
    ];
    const container = gatewayContainer(pod({ args: ['--config', '$(BOTH)'], env }), onDisk);
    assert.equal(container.env['BOTH'], '127.0.0.13/blue/$(NONE)/$(IP)');
    assert.equal(container.args[1], '127.0.0.13/blue/$(NONE)/$(IP)');
  });

  it('has probes at named or numbered ports', () => {
    const { readiness, liveness } = gatewayContainer(
      pod({
        args: ['--config', '/c'],
        ports: [{ name: 'http', containerPort: 19_501 }],
        readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 2, failureThreshold: 2 },
        livenessProbe: { httpGet: { path: '/healthz', port: 8_080 } },
      }),
      onDisk,
    );
    assert.deepEqual(readiness, { path: '/readyz', port: 19_501, periodMs: 2_000, failureThreshold: 2 });
    assert.deepEqual(liveness, { path: '/healthz', port: 8_080, periodMs: 10_000, failureThreshold: 3 });
  });
});
