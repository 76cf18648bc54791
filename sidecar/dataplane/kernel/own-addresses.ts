/** The addresses of this machine, looked at anew when one is asked for that was not there before. */
import { networkInterfaces } from 'node:os';
import { parseAddress } from '../../contract/address.ts';
import { type Bytes, hex } from '../../ike/wire/bytes.ts';

/** Whoever asks for addresses that nobody has does not make this process look more often. */
const LOOK_AGAIN_MS = 500;

export function ownAddresses(all: () => ReturnType<typeof networkInterfaces> = networkInterfaces): (address: Bytes) => boolean {
  let known = new Set<string>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  return (address) => {
    const key = hex(address);
    if (!known.has(key) && performance.now() - lookedAt > LOOK_AGAIN_MS) {
      known = look(all());
      lookedAt = performance.now();
    }
    return known.has(key);
  };
}

const look = (all: ReturnType<typeof networkInterfaces>): Set<string> =>
  new Set(
    Object.values(all).flatMap((entries) =>
      (entries ?? []).flatMap(({ address }) => {
        const bytes = parseAddress(address);
        return bytes ? [hex(bytes)] : [];
      }),
    ),
  );
