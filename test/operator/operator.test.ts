/** The operator as a program for a cluster: command line, TLS, lease, probes, metrics, and an end in good order. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { loadAll } from 'js-yaml';
import { validate } from '../../crds/v1alpha1/validate.ts';
import { toManifest } from '../../operator/local/object-store.ts';
import { Operator } from '../../operator/operator.ts';
import { parseCommandLine } from '../../operator/operator-options.ts';
import { createLog } from '../../sidecar/process/log.ts';
import { FakeApiServer } from '../harness/api-server.ts';
import { scratch } from '../harness/scratch.ts';

const SURROUNDINGS = { env: {}, hostname: 'host', pid: 7 };

const fixture = (name: string) => readFileSync(new URL(`../harness/${name}`, import.meta.url), 'utf8');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = { ...Object(server.address()) };
  await new Promise((resolve) => server.close(resolve));
  return Number(port);
}

const ask = (port: number, path: string) =>
  new Promise<{ readonly status: number | undefined; readonly text: string }>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    }).on('error', reject);
  });

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 5_000;
  while (!(await holds())) {
    if (Date.now() > limit) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('operator', { timeout: 20_000 }, () => {
  it('takes the lease, makes the children of what is there, tells probes and metrics, and gives the lease back', async () => {
    const tls = { key: fixture('localhost.key'), cert: fixture('localhost.crt') };
    const server = new FakeApiServer(tls);
    for (const name of ['gateway.yaml', 'ticket-key.yaml']) {
      for (const document of loadAll(readFileSync(new URL(`../../examples/quickstart/${name}`, import.meta.url), 'utf8'))) {
        const validated = validate(name, document);
        assert.ok(validated.ok);
        server.store.create(toManifest(validated.value));
      }
    }
    const config = new KubeConfig();
    const caData = Buffer.from(tls.cert).toString('base64');
    config.loadFromClusterAndUser(
      { name: 'c', server: await server.listen(), skipTLSVerify: false, caData },
      { name: 'u', token: 't' },
    );
    const port = await freePort();
    const line = parseCommandLine(
      [
        '--image',
        'i',
        '--leader-elect',
        '--kubeconfig',
        scratch().write('config', config.exportConfig()),
        '--metrics-port',
        `${port}`,
        '--metrics-address',
        '127.0.0.1',
      ],
      SURROUNDINGS,
    );
    assert.equal(line.do, 'run');
    const operator = new Operator(line.options, createLog({ level: 'silent', base: {} }));
    await operator.start();
    try {
      await until('children', () => server.store.list('StatefulSet').length === 1);
      assert.equal((await ask(port, '/readyz')).status, 200);
      await until('metrics', async () =>
        /rekindle_operator_reconciles_total\{kind="VpnGateway",outcome="success"\} [1-9]/.test(
          (await ask(port, '/metrics')).text,
        ),
      );
      assert.match((await ask(port, '/metrics')).text, /rekindle_operator_leading 1/);
      assert.equal(Object(server.store.list('Lease')[0]?.['spec']).holderIdentity, 'host_7');
    } finally {
      await operator.stop();
      await server.close();
    }
    assert.equal(Object(server.store.list('Lease')[0]?.['spec']).holderIdentity, '');
    await assert.rejects(ask(port, '/healthz'));
  });
});

describe('command line of the operator', { timeout: 10_000 }, () => {
  it('reports every problem with a remedy', () => {
    const line = parseCommandLine(['--namespace', 'Bad_Name', '--metrics-port', '99999', '--log-level', 'loud'], SURROUNDINGS);
    assert.deepEqual(line.do === 'refuse' && line.problems.map((problem) => problem.split(':')[0]), [
      '--namespace',
      '--metrics-port',
      '--log-level',
      '--image is missing; name the image of the gateway pods, or set REKINDLE_IMAGE',
    ]);
    assert.equal(parseCommandLine(['--nonsense'], SURROUNDINGS).do, 'refuse');
  });

  it('takes from its pod what is not given', () => {
    const env = { POD_NAMESPACE: 'vpn-system', POD_NAME: 'operator-1', REKINDLE_IMAGE: 'i' };
    const line = parseCommandLine(['--leader-elect'], { ...SURROUNDINGS, env });
    assert.ok(line.do === 'run');
    const { leaseNamespace, operatorNamespace, holder, namespace, image } = line.options;
    assert.deepEqual(
      [leaseNamespace, operatorNamespace, holder, namespace, image],
      ['vpn-system', 'vpn-system', 'operator-1_7', undefined, 'i'],
    );
  });
});
