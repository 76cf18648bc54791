/** What the RADIUS client needs of the world, so that tests can give it another one. */
import type { Bytes } from '../ike/wire/bytes.ts';
import type { RadiusObserver } from './observer.ts';

export interface RadiusPorts {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Runs once, at the earliest after `ms`; answers how to call it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Cryptographically random. */
  readonly random: (length: number) => Bytes;
  /** @throws Error when the name is not known now. */
  readonly resolve: (host: string) => Promise<string>;
  readonly connect: Connect;
  readonly observer: RadiusObserver;
}

/** A datagram socket of its own port that hears one address and port only. What cannot be sent is lost. */
export type Connect = (address: string, port: number, receive: (datagram: Bytes) => void) => Channel;

export interface Channel {
  send(datagram: Bytes): void;
  close(): void;
}
