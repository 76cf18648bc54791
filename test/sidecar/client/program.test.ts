/** The program against a real gateway on loopback: connect, ping, suspend, resume, outlive the gateway, leave. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { files, Program, pskFile, startGateway, ticketFile, wrongPskFile } from './program.ts';

let gateway: Sidecar;
before(async () => {
  gateway = await startGateway();
});
after(() => gateway.close());

describe('the client program', { timeout: 30_000 }, () => {
  it('connects, pings through the tunnel, and leaves with its ticket kept', async () => {
    const program = new Program(
      ...[
        '--psk-file',
        pskFile,
        '--ticket-file',
        ticketFile,
        '--ping',
        '10.8.0.1',
        '--interval',
        '20ms',
        '--count',
        '3',
        '--suspend-on-exit',
      ],
    );
    assert.deepEqual(await program.end(), { status: 0, stderr: '' });
    const { kind, roundTrips, keyExchanges } = await program.next('established');
    assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'full', roundTrips: 3, keyExchanges: 2 });
    const { sent, received } = await program.next('ping-summary');
    assert.deepEqual({ sent, received }, { sent: 3, received: 3 });
    assert.equal(statSync(ticketFile).mode & 0o777, 0o600);
  });

  it('resumes at its next start, and again when the gateway has died, with two round trips and no key exchange', async () => {
    const program = new Program(
      ...['--psk-file', pskFile, '--ticket-file', ticketFile, '--ping', '10.8.0.1', '--interval', '50ms', '--dead-peer', '500ms'],
    );
    const first = await program.next('established');
    await program.next('ping');
    await gateway.close();
    gateway = await startGateway();
    const since = program.events.length;
    assert.ok((await program.next('dead-peer', since)).detectedAfterMs < 1_000);
    const second = await program.next('established', since);
    for (const { kind, roundTrips, keyExchanges } of [first, second]) {
      assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'resumed', roundTrips: 2, keyExchanges: 0 });
    }
    assert.deepEqual(second.inner, first.inner);
    await program.next('ping', program.events.indexOf(second));
    program.signal('SIGTERM');
    assert.deepEqual(await program.end(), { status: 0, stderr: '' });
    assert.equal((await program.next('closed')).why, 'deleted');
    assert.equal(existsSync(ticketFile), false);
  });

  it('ends with a status and a word when it is to run once and the key is wrong', async () => {
    const program = new Program('--psk-file', wrongPskFile, '--once', '--log-level', 'silent');
    const { status, stderr } = await program.end();
    assert.equal(status, 1);
    assert.match(stderr, /^attempt 1: IKE_AUTH refused with AUTHENTICATION_FAILED: the gateway refuses us; compare --id, .*\n$/);
  });

  it('ends with another status when it cannot begin', async () => {
    assert.deepEqual(await new Program('--psk-file', join(files.path, 'none')).end(), {
      status: 2,
      stderr: `--psk-file: ${files.path}/none: does not exist; write the pre-shared key into it, with mode 0600\n`,
    });
  });
});
