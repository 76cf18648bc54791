/** One log line per event of a session's life: how loud, in which words, with which facts. */
import { formatIdentity } from '../contract/identity.ts';
import { formatAddress } from '../ike/ip-address.ts';
import type { Path } from '../ike/sa.ts';
import type { Event } from '../ike/step.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

export interface EventLine {
  readonly level: Level;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const levels: Readonly<Record<Event['name'], Level>> = {
  'half-open': 'debug',
  established: 'info',
  refused: 'warn',
  dropped: 'debug',
  closed: 'info',
  'child-installed': 'debug',
  'child-rekeyed': 'debug',
  'child-removed': 'debug',
  'child-lost': 'warn',
  'ike-rekeyed': 'info',
  retransmit: 'debug',
  moved: 'info',
  redirected: 'info',
  'cookie-demanded': 'debug',
  'ticket-sealed': 'info',
  'ticket-opened': 'info',
  'ticket-refused': 'warn',
  'handed-over': 'info',
  'taken-over': 'info',
  'hand-off-failed': 'warn',
  'address-refused': 'warn',
  'internal-error': 'error',
  ticket: 'debug',
  'ticket-void': 'debug',
};

/** Attempts that came to nothing are the business of `refused`; any stranger can cause them. */
export const levelOf = (event: Event): Level => (event.name === 'closed' && !event.remote ? 'debug' : levels[event.name]);

/** Undefined for what only a client's store may see. */
export function eventLine(event: Event): EventLine | undefined {
  switch (event.name) {
    case 'half-open':
      return line(event, 'handshake began', { ...which(event), kind: event.kind });
    case 'established':
      return line(event, 'session established', {
        ...which(event),
        kind: event.kind,
        identity: formatIdentity(event.remote),
        inner: event.inner.map(formatAddress),
        postQuantum: event.postQuantum,
        durationMs: event.durationMs,
      });
    case 'refused':
      return line(event, event.by === 'us' ? 'refused' : 'refused by peer', {
        ...which(event),
        exchange: event.exchange,
        notify: event.notify,
        reason: event.reason,
      });
    case 'dropped':
      return line(event, 'datagram dropped', {
        ...(event.path && ends(event.path)),
        reason: event.reason,
        detail: event.detail,
      });
    case 'closed':
      return line(event, event.remote ? 'session closed' : 'handshake ended', {
        ...which(event),
        why: event.why,
        ...(event.remote && { identity: formatIdentity(event.remote) }),
      });
    case 'child-installed':
      return line(event, 'child installed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'child-rekeyed':
      return line(event, 'child rekeyed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'child-removed':
      return line(event, 'child removed', { ...which(event), spiIn: spi(event.spiIn) });
    case 'child-lost':
      return line(event, 'child lost', { ...which(event), spiIn: spi(event.spiIn), reason: event.reason });
    case 'ike-rekeyed':
      return line(event, 'session rekeyed', { ...which(event), newSpiI: event.newSpiI, newSpiR: event.newSpiR });
    case 'retransmit':
      return line(event, 'retransmit', { ...which(event), attempt: event.attempt });
    case 'moved':
      return line(event, 'peer moved', { ...which(event), from: event.from });
    case 'redirected':
      return line(event, 'client sent to another gateway', { ...which(event), to: event.to });
    case 'cookie-demanded':
      return line(event, 'cookie demanded', ends(event.path));
    case 'ticket-sealed':
      return line(event, 'ticket sealed', { ...which(event), keyId: event.keyId, lifetimeMs: event.lifetimeMs });
    case 'ticket-opened':
      return line(event, 'ticket opened', { ...ends(event.path), keyId: event.keyId });
    case 'ticket-refused':
      return line(event, 'ticket refused', { ...ends(event.path), reason: event.reason, keyId: event.keyId });
    case 'handed-over':
      return line(event, 'handed over to a sibling', { ...which(event), to: event.to });
    case 'taken-over':
      return line(event, 'taken over from a sibling', { ...which(event), from: event.from });
    case 'hand-off-failed':
      return line(event, 'hand-off failed', { spiR: event.spiR, reason: event.reason });
    case 'address-refused':
      return line(event, 'no inner address left', { identity: formatIdentity(event.remote) });
    case 'internal-error':
      // Length and SPI, never content.
      return line(event, 'internal error', { err: event.error, length: event.length, spi: event.spi });
    case 'ticket':
    case 'ticket-void':
      return undefined;
  }
}

const line = (event: Event, message: string, fields: EventLine['fields']): EventLine => ({
  level: levelOf(event),
  message,
  fields,
});
const ends = ({ local, remote }: Path) => ({ peer: remote, local });
const which = ({ spiI, spiR, path }: { spiI: string; spiR: string; path: Path }) => ({ ...ends(path), spiI, spiR });
const spi = (value: number): string => value.toString(16).padStart(8, '0');
