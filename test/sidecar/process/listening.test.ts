/** A port that was had stays, whatever becomes of single connections. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { listening } from '../../../sidecar/process/listening.ts';

describe('a server that listens', () => {
  it('outlives a connection that it cannot accept', async () => {
    const server = createServer();
    await listening(server, '127.0.0.1', 0);
    assert.doesNotThrow(() => server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' })));
    assert.ok(server.listening);
    server.close();
  });
});
