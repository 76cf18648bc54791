/** What was said under encryption, by somebody who has all keys. */
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import { open, type SecuredSa } from '../../../sidecar/ike/protection.ts';
import type { IkeSa } from '../../../sidecar/ike/sa.ts';
import { type Bytes, concat, hex, Reader } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, type Encrypted, type Message } from '../../../sidecar/ike/wire/message.ts';
import { decodePayloads, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import type { Datagram } from '../world.ts';

export interface Overheard {
  readonly exchange: number;
  readonly response: boolean;
  readonly payloads: readonly Payload[];
}

const crypto = cryptography('auto');

/** Whole messages, in order; `sas` have the keys. */
export function overhear(sent: readonly Datagram[], sas: readonly IkeSa[]): Overheard[] {
  const byPair = Map.groupBy(new Map(sas.map((sa) => [keyOf(sa), sa])).values(), ({ spiI, spiR }) => spiI + spiR);
  let parts: { readonly first: number; readonly plain: Uint8Array }[] = [];
  return sent.flatMap(({ bytes }) => {
    const message = decodeMessage(bytes);
    const { exchange, response, encrypted } = message;
    if (!encrypted) return [{ exchange, response, payloads: message.payloads }];
    const candidates = byPair.get(message.spiI + message.spiR);
    if (!candidates) return [];
    const plain = opened(candidates, message, encrypted);
    // The next message begins with its first fragment.
    parts = (encrypted.fragment?.number ?? 1) === 1 ? [{ first: encrypted.first, plain }] : [...parts, { first: 0, plain }];
    if (parts.length < (encrypted.fragment?.total ?? 1)) return [];
    const whole = new Reader(concat(...parts.map((part) => part.plain)));
    return [{ exchange, response, payloads: decodePayloads(parts[0]?.first ?? 0, whole) }];
  });
}

/** An SA has other keys after each further key exchange. */
const keyOf = ({ spiI, spiR, phase }: IkeSa): string => `${spiI}${spiR}${'keys' in phase ? hex(phase.keys.ei) : ''}`;

function opened([sa, ...others]: readonly IkeSa[], message: Message, encrypted: Encrypted): Bytes {
  if (!sa) throw new Error('nobody has the keys');
  try {
    return open(receiver(sa, message), encrypted, { crypto });
  } catch {
    return opened(others, message, encrypted);
  }
}

const receiver = (sa: IkeSa, { initiator }: Message): SecuredSa =>
  ({ ...sa, role: initiator ? 'responder' : 'initiator' }) as SecuredSa;
