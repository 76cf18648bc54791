/** Seal and open alone, without system calls: what the engine costs for each packet on one core. */
import { inPlaceCiphers } from '../../../sidecar/dataplane/esp-thread/in-place-ciphers.ts';
import { loadNative } from '../../../sidecar/dataplane/esp-thread/native.ts';
import { SCRATCH_BYTES } from '../../../sidecar/dataplane/esp-thread/openssl.ts';
import { EspEngine } from '../../../sidecar/dataplane/userspace/esp-engine.ts';
import { providerCiphers } from '../../../sidecar/dataplane/userspace/provider-ciphers.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { ends, ping } from '../../sidecar/dataplane/children.ts';

export interface Primitive {
  readonly name: string;
  /** Nanoseconds for each packet, of every run. */
  readonly ns: readonly number[];
  readonly bytes: number;
}

const BYTES = 1400;
const PACKETS = 100_000;
const [PLAIN, LEFT, ROOM] = [64, 4096, 8192];

export async function measurePrimitives(runs: number): Promise<readonly Primitive[]> {
  const native = await loadNative();
  if (!native) return [];
  const arena = native.allocate(16_384 + SCRATCH_BYTES);
  const crypto = cryptography('auto');
  const others = providerCiphers(arena, crypto, (length) => new Uint8Array(length));
  const ciphers = inPlaceCiphers(native, arena, 16_384, crypto, others);
  const { client, gateway } = ends(0x1000);
  let sealed = 0;
  let at = 0;
  const engine = (child: typeof client) => {
    const options = { arena, ciphers, ownAddresses: [], lifetimeBytes: 0, forward: false, room: () => ROOM, deliver: () => {} };
    const made = new EspEngine({
      ...options,
      send: (where, length) => {
        at = where;
        sealed = length;
      },
    });
    made.order({ order: 'install', child });
    return made;
  };
  const [sender, receiver] = [engine(client), engine(gateway)];
  const packet = new Uint8Array(BYTES);
  packet.set(ping('10.8.0.7', '172.16.0.1'));
  new DataView(packet.buffer).setUint16(2, BYTES);
  const origin = { is: () => true, path: () => client.path };
  const [seal, both]: [number[], number[]] = [[], []];
  for (let run = 0; run <= runs; run++) {
    const one = nsFor(
      () => {
        // The header is intact after each: what it sealed is no IP packet, but parts of the arena that are copied anew.
        arena.bytes.copyWithin(PLAIN, LEFT, LEFT + BYTES);
        sender.transmit(PLAIN, BYTES);
      },
      () => arena.bytes.set(packet, LEFT),
    );
    const two = nsFor(
      () => {
        arena.bytes.copyWithin(PLAIN, LEFT, LEFT + BYTES);
        sender.transmit(PLAIN, BYTES);
        receiver.receive(at, sealed, origin);
      },
      () => arena.bytes.set(packet, LEFT),
    );
    if (run === 0) continue;
    seal.push(one);
    both.push(two);
  }
  const dropped = Object.values(receiver.drops()).reduce((sum, count) => sum + count, 0);
  if (dropped > 0) throw new Error(`${dropped} packets of the bench were dropped`);
  return [
    { name: 'seal', ns: seal, bytes: BYTES },
    { name: 'seal and open', ns: both, bytes: BYTES },
  ];
}

function nsFor(act: () => void, prepare: () => void): number {
  prepare();
  // Of this thread: what else the machine does is not in it.
  const began = process.threadCpuUsage();
  for (let packet = 0; packet < PACKETS; packet++) act();
  const { user, system } = process.threadCpuUsage(began);
  return ((user + system) * 1e3) / PACKETS;
}
