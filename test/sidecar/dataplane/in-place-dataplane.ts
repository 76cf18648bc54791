/** The data plane as the thread for ESP has it, memory of C and OpenSSL in place, without the thread: for tests that hand it packets themselves. */
import { inPlaceCiphers } from '../../../sidecar/dataplane/esp-thread/in-place-ciphers.ts';
import { loadNative, type NativeArena } from '../../../sidecar/dataplane/esp-thread/native.ts';
import { SCRATCH_BYTES } from '../../../sidecar/dataplane/esp-thread/openssl.ts';
import { HEADROOM, TAILROOM } from '../../../sidecar/dataplane/userspace/arena.ts';
import { EspEngine } from '../../../sidecar/dataplane/userspace/esp-engine.ts';
import { UserspaceDataplane, type UserspaceOptions } from '../../../sidecar/dataplane/userspace.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';

/** What tests use of a data plane that is handed its packets. */
export type PlaneUnderTest = Pick<
  UserspaceDataplane,
  'configure' | 'order' | 'receive' | 'transmit' | 'reports' | 'stats' | 'close'
>;

const native = await loadNative();
const LONGEST = 2048;
const PLACE = HEADROOM + LONGEST + TAILROOM;
const [ARRIVING, LEAVING, SCRATCH] = [HEADROOM, PLACE + HEADROOM, 2 * PLACE];
const none = (): never => {
  throw new Error('not by OpenSSL itself');
};

/** In memory of its own, which is not given back: make few. */
function arena(): NativeArena {
  if (!native) throw new Error('no koffi here');
  return native.allocate(SCRATCH + SCRATCH_BYTES);
}

function inPlace(options: UserspaceOptions, memory: NativeArena): PlaneUnderTest {
  if (!native) throw new Error('no koffi here');
  const copy = (at: number, length: number): Bytes => memory.bytes.slice(at, at + length);
  const { send, deliver } = options;
  const engine = new EspEngine({
    ...options,
    ...{ arena: memory, room: () => LEAVING },
    ciphers: inPlaceCiphers(native, memory, SCRATCH, options.crypto, { outbound: none, inbound: none }),
    send: (at, length, path) => send(copy(at, length), path),
    deliver: deliver && ((at, length) => deliver(copy(at, length))),
  });
  const put = (packet: Bytes, at: number): number => {
    if (packet.length > LONGEST) throw new RangeError('longer than tests have them');
    memory.bytes.set(packet, at);
    return packet.length;
  };
  return {
    configure: (settings) => engine.configure(settings),
    order: (order) => engine.order(order),
    receive: (packet, path) =>
      engine.receive(ARRIVING, put(packet, ARRIVING), { is: (remote) => remote === path.remote, path: () => path }),
    transmit: (inner) => engine.transmit(LEAVING, put(inner, LEAVING)),
    reports: () => engine.reports(),
    stats: () => engine.stats(),
    close: () => engine.close(),
  };
}

export interface PlaneKind {
  readonly name: string;
  /** `forget`: memory of planes made before may be used again. */
  create(options: UserspaceOptions): PlaneUnderTest;
  forget(): void;
}

const used: NativeArena[] = [];
const unused: NativeArena[] = [];

export const planeKinds: readonly PlaneKind[] = [
  { name: 'in the main thread', create: (options) => new UserspaceDataplane(options), forget: () => {} },
  ...(native
    ? [
        {
          name: 'as the thread has it',
          create(options: UserspaceOptions) {
            const memory = unused.pop() ?? arena();
            used.push(memory);
            return inPlace(options, memory);
          },
          forget: () => void unused.push(...used.splice(0)),
        },
      ]
    : []),
];
