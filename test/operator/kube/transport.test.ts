/** Requests to an API server that is slow, silent, wrong or over TLS. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { loadAccess } from '../../../operator/kube/access.ts';
import { ApiError } from '../../../operator/kube/api-error.ts';
import { transport } from '../../../operator/kube/transport.ts';
import { FakeApiServer, refuse } from '../../harness/api-server.ts';
import { scratch } from '../../harness/scratch.ts';

const SECRETS = '/api/v1/namespaces/vpn/secrets';

let server = new FakeApiServer();
afterEach(() => server.close().catch(() => {}));

async function begin() {
  server = new FakeApiServer();
  return server.transport();
}

const failing = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, `not an ApiError: ${error}`);
  return error;
};

async function drain(lines: AsyncGenerator<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

describe('transport', { timeout: 20_000 }, () => {
  it('says what the server refused, why, and when to come back', async () => {
    const api = await begin();
    server.fault = (_asked, response) => {
      refuse(response, 429, 'TooManyRequests', 'slow down', 3);
      return true;
    };
    const error = await failing(api.call({ method: 'GET', path: SECRETS }));
    assert.deepEqual(
      [error.status, error.reason, error.message, error.retryAfterMs],
      [429, 'TooManyRequests', 'slow down', 3_000],
    );
  });

  it('ends a stream that falls silent', async () => {
    const api = await begin();
    server.fault = (_asked, response) => {
      response.writeHead(200);
      response.write('{"a":1}\n');
      return true;
    };
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const line of api.lines({ method: 'GET', path: SECRETS }, 60)) seen.push(line);
    })();
    const error = await failing(reading);
    assert.deepEqual([error.status, error.reason], [0, 'NoAnswer']);
    assert.deepEqual(seen, [{ a: 1 }]);
  });

  it('ends a stream whose server never even answers', async () => {
    const api = await begin();
    server.fault = () => true;
    assert.equal((await failing(drain(api.lines({ method: 'GET', path: SECRETS }, 60)))).reason, 'NoAnswer');
  });

  it('puts characters together that were cut between two packets, and leaves a line without an end out', async () => {
    const api = await begin();
    server.fault = (_asked, response) => {
      const bytes = Buffer.from('{"a":"é"}\n{"b":2}\n{"c"');
      response.writeHead(200);
      response.write(bytes.subarray(0, 7));
      setTimeout(() => response.end(bytes.subarray(7)), 5);
      return true;
    };
    assert.deepEqual(await drain(api.lines({ method: 'GET', path: SECRETS }, 1_000)), [{ a: 'é' }, { b: 2 }]);
  });

  it('sends a request again when the connection that it used was closed while idle', async () => {
    server = new FakeApiServer();
    const agent = new Agent({ keepAlive: true });
    const api = transport({ server: await server.listen(), options: async () => ({ agent }) });
    let asked = 0;
    server.fault = (_asked, response) => {
      asked += 1;
      if (asked === 2) response.socket?.resetAndDestroy();
      return asked === 2;
    };
    await api.call({ method: 'GET', path: SECRETS });
    await api.call({ method: 'GET', path: SECRETS });
    assert.equal(asked, 3);
    agent.destroy();
  });

  it('never shows a token in an error', async () => {
    server = new FakeApiServer();
    const url = await server.listen();
    await server.close();
    const api = transport({ server: url, options: async () => ({ headers: { authorization: 'Bearer hidden' } }) });
    const error = await failing(api.call({ method: 'GET', path: SECRETS }));
    assert.equal(error.status, 0);
    assert.doesNotMatch(JSON.stringify(error) + error.stack, /hidden/);
  });

  it('reads a kubeconfig: authority, token, and a server that it does not trust', async () => {
    const tls = {
      key: readFileSync(new URL('../../harness/localhost.key', import.meta.url), 'utf8'),
      cert: readFileSync(new URL('../../harness/localhost.crt', import.meta.url), 'utf8'),
    };
    server = new FakeApiServer(tls);
    const url = await server.listen();
    const file = scratch().write('config', kubeconfig(url, tls.cert));
    await transport(loadAccess(file)).call({ method: 'GET', path: SECRETS });
    assert.equal(server.asked[0]?.headers.authorization, 'Bearer test-token');
    const untrusted = scratch().write('config', kubeconfig(url, undefined));
    const error = await failing(transport(loadAccess(untrusted)).call({ method: 'GET', path: SECRETS }));
    assert.match(error.message, /self-signed/);
  });

  it('says how to mend a kubeconfig without a current context', () => {
    const file = scratch().write('config', 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n');
    assert.throws(() => loadAccess(file), /current-context: names no cluster; set one/);
  });
});

function kubeconfig(url: string, authority: string | undefined): string {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'test',
      server: url,
      skipTLSVerify: false,
      ...(authority ? { caData: Buffer.from(authority).toString('base64') } : {}),
    },
    { name: 'test', token: 'test-token' },
  );
  return config.exportConfig();
}
