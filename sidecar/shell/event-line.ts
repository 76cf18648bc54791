/** One log line per event of a session's life: how loud, in which words, with which facts. */
import { formatIdentity } from '../contract/identity.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { Path } from '../ike/sa.ts';
import type { Event } from '../ike/step.ts';

export interface EventLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Undefined for what only a client's store may see. */
export function eventLine(event: Event): EventLine | undefined {
  switch (event.name) {
    case 'half-open':
      return line('debug', 'handshake began', { ...which(event), kind: event.kind });
    case 'established':
      return line('info', 'session established', {
        ...which(event),
        kind: event.kind,
        identity: formatIdentity(event.remote),
        inner: event.inner.map(formatAddress),
        durationMs: event.durationMs,
      });
    case 'refused':
      return line('warn', event.by === 'us' ? 'refused' : 'refused by peer', {
        ...which(event),
        exchange: event.exchange,
        notify: event.notify,
        reason: event.reason,
      });
    case 'dropped':
      return line('debug', 'datagram dropped', {
        ...(event.path && ends(event.path)),
        reason: event.reason,
        detail: event.detail,
      });
    case 'closed':
      // Attempts that came to nothing are the business of `refused`; any stranger can cause them.
      return line(event.remote ? 'info' : 'debug', event.remote ? 'session closed' : 'handshake ended', {
        ...which(event),
        why: event.why,
        ...(event.remote && { identity: formatIdentity(event.remote) }),
      });
    case 'child-installed':
      return line('debug', 'child installed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'child-rekeyed':
      return line('debug', 'child rekeyed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'child-removed':
      return line('debug', 'child removed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'ike-rekeyed':
      return line('info', 'session rekeyed', { ...which(event), newSpiI: event.newSpiI, newSpiR: event.newSpiR });
    case 'retransmit':
      return line('debug', 'retransmit', { ...which(event), attempt: event.attempt });
    case 'moved':
      return line('info', 'peer moved', { ...which(event), from: event.from });
    case 'cookie-demanded':
      return line('debug', 'cookie demanded', ends(event.path));
    case 'ticket-sealed':
      return line('info', 'ticket sealed', { ...which(event), keyId: event.keyId, lifetimeMs: event.lifetimeMs });
    case 'ticket-opened':
      return line('info', 'ticket opened', { ...ends(event.path), keyId: event.keyId });
    case 'ticket-refused':
      return line('warn', 'ticket refused', { ...ends(event.path), reason: event.reason, keyId: event.keyId });
    case 'handed-over':
      return line('info', 'handed over to a sibling', { ...which(event), to: event.to });
    case 'taken-over':
      return line('info', 'taken over from a sibling', { ...which(event), from: event.from });
    case 'hand-off-failed':
      return line('warn', 'hand-off failed', { spiR: event.spiR, reason: event.reason });
    case 'address-refused':
      return line('warn', 'no inner address left', { identity: formatIdentity(event.remote) });
    case 'internal-error':
      // Length and SPI, never content.
      return line('error', 'internal error', { err: event.error, length: event.length, spi: event.spi });
    case 'ticket':
    case 'ticket-void':
      return undefined;
  }
}

const line = (level: EventLine['level'], message: string, fields: EventLine['fields']): EventLine => ({ level, message, fields });
const ends = ({ local, remote }: Path) => ({ peer: remote, local });
const which = ({ spiI, spiR, path }: { spiI: string; spiR: string; path: Path }) => ({ ...ends(path), spiI, spiR });
const spi = (value: number): string => value.toString(16).padStart(8, '0');
