/** What real peers and we said to each other (test/vectors/captures), opened with the keys that were recorded with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IkeKeys } from '../../sidecar/ike/crypto/keymat.ts';
import type { IkeSuite } from '../../sidecar/ike/crypto/suite.ts';
import { ProtocolError } from '../../sidecar/ike/error.ts';
import { collect, open, type SecuredSa } from '../../sidecar/ike/protection.ts';
import { type Fragments, NEVER } from '../../sidecar/ike/sa.ts';
import { newWindow } from '../../sidecar/ike/window.ts';
import { type Bytes, Reader, unhex } from '../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, type Encrypted, type Message } from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, type Payload } from '../../sidecar/ike/wire/payload.ts';
import { crypto } from './peer.ts';

const FOLDER = join(import.meta.dirname, '../vectors/captures');

export interface Capture {
  readonly name: string;
  readonly sas: readonly { readonly spiI: string; readonly spiR: string; readonly suite: IkeSuite; readonly keys: IkeKeys }[];
  readonly datagrams: readonly { readonly from: 'initiator' | 'responder'; readonly port: number; readonly bytes: Bytes }[];
}

/** A message in clear, its fragments put together. */
export interface Said {
  readonly message: Message;
  readonly from: 'initiator' | 'responder';
  /** Those in clear, then those that were encrypted. */
  readonly payloads: readonly Payload[];
}

export const captures = (): readonly Capture[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => read(file));

function read(file: string): Capture {
  const { sas, datagrams } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
  return {
    name: file.slice(0, -'.json'.length),
    sas: sas.map((sa: { keys: Record<keyof IkeKeys, string> }) => {
      const { d, ai, ar, ei, er, pi, pr } = sa.keys;
      const keys = { d: unhex(d), ai: unhex(ai), ar: unhex(ar), ei: unhex(ei), er: unhex(er), pi: unhex(pi), pr: unhex(pr) };
      return { ...sa, keys };
    }),
    datagrams: datagrams.map(({ hex, ...rest }: { hex: string }) => ({ ...rest, bytes: unhex(hex) })),
  };
}

/** @throws Error when a message does not open with any of the keys of its SPIs, or is not well-formed. */
export function opened({ sas, datagrams }: Capture): Said[] {
  const fragments = new Map<string, Fragments>();
  return datagrams.flatMap(({ bytes, from }): Said[] => {
    const message = decodeMessage(bytes);
    const { encrypted } = message;
    if (!encrypted) return [{ message, from, payloads: message.payloads }];
    const part = openPart(sas, message, encrypted, from);
    const key = [message.spiI, message.spiR, from, message.messageId, message.response].join();
    const collected = collect(fragments.get(key), { ...message, encrypted }, part, NEVER);
    if (collected) fragments.set(key, collected.fragments);
    const whole = collected?.complete;
    if (!whole) return [];
    return [{ message, from, payloads: [...message.payloads, ...decodePayloads(whole.first, new Reader(whole.bytes))] }];
  });
}

function openPart(sas: Capture['sas'], { spiI, spiR }: Message, encrypted: Encrypted, from: 'initiator' | 'responder'): Bytes {
  for (const sa of sas.filter((one) => one.spiI === spiI && one.spiR === spiR)) {
    try {
      return open(receiver(sa, from), encrypted, { crypto });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  throw new Error(`no key opens a message of the ${from} of ${spiI} ${spiR}`);
}

const receiver = ({ spiI, spiR, suite, keys }: Capture['sas'][number], from: 'initiator' | 'responder'): SecuredSa => ({
  ...{ role: from === 'initiator' ? 'responder' : 'initiator', spiI, spiR, path: { local: '', remote: '' } },
  ...{ window: newWindow(), connection: undefined },
  phase: { name: 'gone', suite, keys, nat: { local: false, remote: false }, fragmentation: true, proven: true, until: NEVER },
});
