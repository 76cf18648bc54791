/** The UDP socket of an attempt, on loopback: markers, ESP, keepalives, and a port that is another one each time. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { openSocket } from '../../../sidecar/client/socket.ts';
import { formatEndpoint, splitEndpoint } from '../../../sidecar/shell/endpoint.ts';

const [ike, nat] = [createSocket('udp4'), createSocket('udp4')];
const portOf = (socket: Socket): number => socket.address().port;
const remote = (socket: Socket): string => formatEndpoint('127.0.0.1', portOf(socket));

before(async () => {
  for (const socket of [ike, nat]) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
});
after(() => {
  ike.close();
  nat.close();
});

async function opened(not?: number) {
  const received: { kind: string; bytes: number[]; remote: string }[] = [];
  let wake = (): void => {};
  const note = (kind: string) => (bytes: Uint8Array, path: { remote: string }) => {
    received.push({ kind, bytes: [...bytes], remote: path.remote });
    wake();
  };
  const socket = await openSocket({
    ...{ source: undefined, not, natPort: portOf(nat), towards: { address: '127.0.0.1', port: portOf(ike) } },
    ...{ onIke: note('ike'), onEsp: note('esp') },
  });
  const heard = async (count: number) => {
    while (received.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return received;
  };
  return { socket, heard };
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

describe('the socket of a client', () => {
  it('sends IKE as it is to the IKE port, behind four zero bytes to the NAT port, and ESP as it is', async () => {
    const { socket } = await opened();
    const path = (to: Socket) => ({ local: socket.local, remote: remote(to) });
    const at = async (to: Socket, send: () => void): Promise<number[]> => {
      const message = once(to, 'message');
      send();
      return [...(await message)[0]];
    };
    assert.deepEqual(await at(ike, () => socket.sendIke(bytes(1, 2), path(ike))), [1, 2]);
    assert.deepEqual(await at(nat, () => socket.sendIke(bytes(1, 2), path(nat))), [0, 0, 0, 0, 1, 2]);
    assert.deepEqual(await at(nat, () => socket.sendEsp(bytes(9, 9), path(nat))), [9, 9]);
    assert.deepEqual(await at(nat, () => socket.sendKeepalive(path(nat))), [255]);
    socket.close();
  });

  it('tells IKE from ESP by the port it comes from and the marker, and drops keepalives', async () => {
    const { socket, heard } = await opened();
    const { port } = splitEndpoint(socket.local);
    for (const [from, message] of [
      [ike, bytes(0, 0, 0, 0, 5)],
      [nat, bytes(255)],
      [nat, bytes(0, 0, 0, 0, 6)],
      [nat, bytes(0, 0, 1, 0, 7)],
    ] as const) {
      from.send(message, port, '127.0.0.1');
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const received = await heard(3);
    const inOrder = (kind: string) => received.filter((one) => one.kind === kind);
    assert.deepEqual(
      inOrder('ike')
        .map((one) => [one.bytes, one.remote])
        .sort(),
      [
        [[0, 0, 0, 0, 5], remote(ike)],
        [[6], remote(nat)],
      ].sort(),
    );
    assert.deepEqual(inOrder('esp'), [{ kind: 'esp', bytes: [0, 0, 1, 0, 7], remote: remote(nat) }]);
    socket.close();
  });

  it('sends from the address that the routes choose, never from the port it must avoid', async () => {
    const { socket } = await opened();
    assert.match(socket.local, /^127\.0\.0\.1:\d+$/);
    const { port } = splitEndpoint(socket.local);
    const other = await opened(port);
    assert.notEqual(splitEndpoint(other.socket.local).port, port);
    socket.close();
    other.socket.close();
  });

  it('says so when the source address is none of ours', async () => {
    const request = {
      not: undefined,
      natPort: 4500,
      towards: { address: '127.0.0.1', port: 500 },
      onIke: () => {},
      onEsp: () => {},
    };
    await assert.rejects(
      openSocket({ ...request, source: '192.0.2.77' }),
      /^Error: cannot send from 192\.0\.2\.77: .*EADDRNOTAVAIL/,
    );
  });
});
