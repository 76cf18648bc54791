/** The HTTP server: fixed paths, two methods, no stranger holds it up. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type HttpServer, json, plainText, startHttpServer } from '../../../sidecar/process/http-server.ts';
import { createLog } from '../../../sidecar/process/log.ts';

const lines: string[] = [];
const log = createLog({ level: 'info', base: {}, to: { write: (line) => void lines.push(line) } });

describe('the HTTP server', () => {
  let server: HttpServer;
  before(async () => {
    server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      log,
      routes: {
        '/healthz': () => plainText(200, 'ok'),
        '/status': () => json('{}'),
        '/local': ({ local }) => plainText(local ? 200 : 403, String(local)),
        '/broken': () => {
          throw new Error('a bug');
        },
      },
    });
  });
  after(() => server.close());

  const ask = async (path: string, method = 'GET', body?: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method, ...(body !== undefined && { body }) });
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  };

  it('answers its paths, with or without a query', async () => {
    assert.deepEqual(await ask('/healthz?verbose'), { status: 200, type: 'text/plain; charset=utf-8', text: 'ok\n' });
    assert.deepEqual(await ask('/status'), { status: 200, type: 'application/json', text: '{}' });
    assert.deepEqual(await ask('/healthz', 'HEAD'), { status: 200, type: 'text/plain; charset=utf-8', text: '' });
  });

  it('says which paths there are, and knows no inherited ones', async () => {
    const expected = { status: 404, type: 'text/plain; charset=utf-8', text: 'there is /healthz, /status, /local, /broken\n' };
    for (const path of ['/', '/toString', '/__proto__', '/healthz/x', '//healthz'])
      assert.deepEqual(await ask(path), expected, path);
  });

  it('refuses every other method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      assert.equal((await ask('/healthz', method, method === 'OPTIONS' ? undefined : 'x')).status, 405);
  });

  it('tells a route whether the question came over the loopback address', async () => {
    assert.equal((await ask('/local')).text, 'true\n');
    const other = await startHttpServer({
      host: '127.0.0.2',
      port: 0,
      log,
      routes: { '/local': ({ local }) => plainText(200, String(local)) },
    });
    assert.equal(await (await fetch(`http://127.0.0.2:${other.port}/local`)).text(), 'false\n');
    await other.close();
  });

  it('answers 500 for a bug, and logs it', async () => {
    assert.deepEqual((await ask('/broken')).status, 500);
    assert.match(lines.join(), /a bug/);
    assert.equal((await ask('/healthz')).status, 200);
  });

  it('survives garbage and headers without end', async () => {
    const garbage = connect(server.port, '127.0.0.1');
    const told = await new Promise<string>((resolve) => {
      garbage.on('data', (data) => resolve(data.toString())).write(`${'\0'.repeat(10)}\r\n\r\n`);
    });
    assert.match(told, /^HTTP\/1.1 400/);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asking = request(
        { port: server.port, host: '127.0.0.1', path: '/healthz', headers: { x: 'y'.repeat(10_000) } },
        (r) => resolve(r.statusCode),
      );
      asking.on('error', reject).end();
    });
    assert.equal(status, 431);
  });

  it('explains why it cannot have a port', async () => {
    const taken = { host: '127.0.0.1', port: server.port, routes: {}, log };
    await assert.rejects(startHttpServer(taken), {
      message: `cannot listen on TCP port ${server.port} of 127.0.0.1: EADDRINUSE; another process has it: stop that one or choose another port`,
    });
    await assert.rejects(startHttpServer({ ...taken, host: '192.0.2.1' }), {
      message: `cannot listen on TCP port ${server.port} of 192.0.2.1: EADDRNOTAVAIL; no interface of this machine has this address: choose one that \`ip address\` lists`,
    });
  });
});
