/** What a client needs from the world: a clock, a timer, randomness, names, sockets. Tests bring their own. */
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import type { Path } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { Clock } from '../shell/clock.ts';
import type { After } from '../shell/loop.ts';

export interface ClientPorts {
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly clock: Clock;
  /** Milliseconds with fractions that never go back, for round-trip times. */
  readonly ticks: () => number;
  readonly after: After;
  /** One address of the host, of the version of IP that `source` has, if there is one. @throws Error when it has none. */
  readonly resolve: (host: string, source: string | undefined) => Promise<string>;
  /** Our address on the way to that; undefined where nothing ever changes. @throws Error when no route leads there. */
  readonly sourceTowards?: (towards: SocketRequest['towards']) => Promise<string>;
  readonly openSocket: (request: SocketRequest) => Promise<ClientSocket>;
}

export interface SocketRequest {
  /** Address to send from; undefined: as the routes to `towards` say. */
  readonly source: string | undefined;
  readonly towards: { readonly address: string; readonly port: number };
  /** A port that must not be used again. */
  readonly not: number | undefined;
  /** What comes from this port of a gateway carries IKE behind the non-ESP marker, or ESP (RFC 3948 §2). */
  readonly natPort: number;
  readonly onIke: (bytes: Bytes, path: Path) => void;
  readonly onEsp: (bytes: Bytes, path: Path) => void;
}

export interface ClientSocket {
  /** `192.0.2.1:40000` or `[2001:db8::1]:40000`. */
  readonly local: string;
  sendIke(bytes: Bytes, path: Path): void;
  sendEsp(bytes: Bytes, path: Path): void;
  /** RFC 3948 §2.3: one byte 0xFF. */
  sendKeepalive(path: Path): void;
  close(): void;
}
