/** NAT detection (RFC 7296 §2.23): each side tells what it sent as a hash of SPIs, address and port; what arrives otherwise met a NAT. */
import type { Cryptography } from './crypto/cryptography.ts';
import { parseEndpoint } from './endpoint.ts';
import type { Nat, Path } from './sa.ts';
import { type Bytes, equalBytes, unhex, Writer } from './wire/bytes.ts';
import type { PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** SHA-1 (SPIi | SPIr | address | port), SPIs as they stand in the header of the message; `endpoint` as in a path. */
export function natDetection(crypto: Cryptography, spiI: string, spiR: string, endpoint: string): Bytes {
  const { address, port } = parseEndpoint(endpoint);
  return crypto.sealing.sha1(new Writer(34).bytes(unhex(spiI)).bytes(unhex(spiR)).bytes(address).u16(port).finish());
}

/** A source that no packet comes from: the peer sees a NAT and encapsulates in UDP. 20 bytes, as SHA-1 has. */
export const feignedNatDetection = (random: (length: number) => Bytes): Bytes => random(20);

/** Neither when the peer does no NAT detection: then there is no UDP encapsulation either. */
export function detectNat(
  notifies: readonly PayloadOf<'N'>[],
  header: { readonly spiI: string; readonly spiR: string },
  path: Path,
  crypto: Cryptography,
): Nat {
  const differs = (type: number, endpoint: string): boolean => {
    const told = notifies.filter(({ notify }) => notify === type);
    const seen = natDetection(crypto, header.spiI, header.spiR, endpoint);
    // RFC 7296 §2.23: a peer with several addresses may send several; one that fits is enough.
    return told.length > 0 && !told.some(({ data }) => equalBytes(data, seen));
  };
  return {
    local: differs(Notify.NAT_DETECTION_DESTINATION_IP, path.local),
    remote: differs(Notify.NAT_DETECTION_SOURCE_IP, path.remote),
  };
}
