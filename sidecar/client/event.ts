/** What a client tells of its life: one JSON object per line, or a line for people. Nothing in it is secret. */

interface Exchanged {
  /** `full` begins with IKE_SA_INIT, `resumed` with IKE_SESSION_RESUME (RFC 5723). */
  readonly kind: 'full' | 'resumed';
}

interface Attempted {
  /** Counts from 1 in each outage. */
  readonly attempt: number;
  readonly gateway: string;
  /** Our end: each attempt has a port of its own. */
  readonly local: string;
}

/** Addresses are text, durations milliseconds. */
export type ClientEvent =
  | ({ readonly name: 'connecting' } & Attempted)
  | ({ readonly name: 'resuming' } & Attempted)
  /** The gateway answered the first message. */
  | { readonly name: 'half-open'; readonly gateway: string }
  | ({
      readonly name: 'established';
      readonly roundTrips: number;
      readonly keyExchanges: number;
      /** From the first message of this attempt. */
      readonly durationMs: number;
      /** From the moment that the former session was found dead; undefined for the first one. */
      readonly outageMs: number | undefined;
      readonly inner: readonly string[];
      /** Prefixes that the gateway carries traffic to. */
      readonly routes: readonly string[];
      /** Outer addresses from now on: after the move to the NAT port. */
      readonly gateway: string;
      readonly local: string;
      readonly remoteId: string;
      /** What the gateway proved itself by; `ticket` stands for the session before. */
      readonly gatewayProof: 'pre-shared key' | 'certificate' | 'EAP' | 'ticket';
      /** No quantum computer breaks what the keys came of. */
      readonly postQuantum: boolean;
      /** To resolve names by; nothing of the system is changed. */
      readonly dns: readonly string[];
      /** What only these servers resolve (RFC 8598); empty: everything. */
      readonly domains: readonly string[];
      /** Until we must authenticate anew (RFC 4478, or the end of a certificate); undefined: never. */
      readonly reauthenticateInMs: number | undefined;
      readonly spiI: string;
      readonly spiR: string;
    } & Exchanged)
  | { readonly name: 'ticket'; readonly lifetimeMs: number }
  | { readonly name: 'ticket-void'; readonly why: string }
  | { readonly name: 'ping'; readonly address: string; readonly seq: number; readonly rttMs: number }
  | { readonly name: 'ping-lost'; readonly address: string; readonly seq: number }
  /** Liveness went unanswered (RFC 7296 §2.4): `detectedAfterMs` after the last authentic packet. */
  | { readonly name: 'dead-peer'; readonly detectedAfterMs: number }
  /** The gateway refused the ticket; a full exchange follows by itself. */
  | { readonly name: 'nacked'; readonly why: string }
  | ({ readonly name: 'unanswered'; readonly attempt: number; readonly waitedMs: number } & Exchanged)
  | {
      readonly name: 'refused';
      readonly by: 'us' | 'peer';
      readonly exchange: string;
      readonly notify: string;
      readonly reason: string;
      /** What to do about it, if that is known. */
      readonly remedy: string | undefined;
    }
  | { readonly name: 'waiting'; readonly waitMs: number }
  | { readonly name: 'rekeyed'; readonly what: 'ike' | 'child' }
  /** The gateway sends us to another one (RFC 5685). */
  | { readonly name: 'redirected'; readonly from: string; readonly to: string }
  /** Our address is another one, and the session went along (RFC 4555). */
  | { readonly name: 'moved'; readonly from: string; readonly to: string }
  | { readonly name: 'closed'; readonly why: string; readonly remedy: string | undefined }
  | { readonly name: 'suspended'; readonly ticket: boolean }
  | {
      readonly name: 'ping-summary';
      readonly address: string;
      readonly sent: number;
      readonly received: number;
      readonly minMs: number | undefined;
      readonly meanMs: number | undefined;
      readonly maxMs: number | undefined;
    }
  | { readonly name: 'warning'; readonly message: string };

/** One line, without its end. `time` is milliseconds since the epoch. */
export const toJson = (event: ClientEvent, time: number): string =>
  JSON.stringify({ time: new Date(time).toISOString(), ...event });

/** The same for a person. */
export const toText = (event: ClientEvent, time: number): string =>
  `${new Date(time).toISOString().slice(11, 23)}  ${sentence(event)}`;

function sentence(event: ClientEvent): string {
  switch (event.name) {
    case 'connecting':
      return `connecting from ${event.local} to ${event.gateway}, attempt ${event.attempt}`;
    case 'resuming':
      return `coming back by ticket from ${event.local} to ${event.gateway}, attempt ${event.attempt}`;
    case 'half-open':
      return `${event.gateway} answered`;
    case 'established':
      return established(event);
    case 'ticket':
      return `ticket kept, good for ${duration(event.lifetimeMs)}`;
    case 'ticket-void':
      return `ticket deleted: ${event.why}`;
    case 'ping':
      return `${event.address}: seq=${event.seq} time=${event.rttMs.toFixed(2)} ms`;
    case 'ping-lost':
      return `${event.address}: seq=${event.seq} lost`;
    case 'dead-peer':
      return `the gateway is silent: found dead ${duration(event.detectedAfterMs)} after its last sign of life`;
    case 'nacked':
      return `the gateway takes no such ticket (${event.why}); going on with a full exchange`;
    case 'unanswered':
      return `attempt ${event.attempt} (${event.kind}) unanswered for ${duration(event.waitedMs)}`;
    case 'refused':
      return `${event.exchange} refused by ${event.by === 'us' ? 'us' : 'the gateway'}: ${event.notify} (${event.reason})${event.remedy === undefined ? '' : `; ${event.remedy}`}`;
    case 'waiting':
      return `next attempt in ${duration(event.waitMs)}`;
    case 'rekeyed':
      return event.what === 'ike' ? 'IKE SA rekeyed' : 'child SA rekeyed';
    case 'redirected':
      return `sent from ${event.from} to ${event.to}`;
    case 'moved':
      return `our address changed from ${event.from} to ${event.to}`;
    case 'closed':
      return `closed: ${event.why}${event.remedy === undefined ? '' : `; ${event.remedy}`}`;
    case 'suspended':
      return event.ticket ? 'suspended; the ticket is kept for the next start' : 'suspended without a ticket';
    case 'ping-summary':
      return summary(event);
    case 'warning':
      return `warning: ${event.message}`;
  }
}

const PROOFS = {
  'pre-shared key': 'the pre-shared key',
  certificate: 'its certificate',
  EAP: 'EAP',
  ticket: 'the ticket',
} as const;

function established(event: Extract<ClientEvent, { name: 'established' }>): string {
  const cost = `${event.roundTrips} round trips, ${event.keyExchanges} key exchanges, ${duration(event.durationMs)}`;
  const outage = event.outageMs === undefined ? '' : `, ${duration(event.outageMs)} after the outage was noticed`;
  const inner = event.inner.length > 0 ? `, inner address ${event.inner.join(', ')}` : '';
  const safety = event.postQuantum ? ', safe from quantum computers' : '';
  const dns = event.dns.length > 0 ? `, names by ${event.dns.join(', ')}` : '';
  const domains = event.domains.length > 0 ? ` for ${event.domains.join(', ')}` : '';
  const anew = event.reauthenticateInMs === undefined ? '' : `, to authenticate anew in ${duration(event.reauthenticateInMs)}`;
  const what = `${event.kind === 'full' ? 'established' : 'resumed'} with ${event.remoteId} at ${event.gateway}`;
  return `${what} (proven by ${PROOFS[event.gatewayProof]}): ${cost}${outage}${inner}${dns}${domains}${safety}${anew}`;
}

function summary(event: Extract<ClientEvent, { name: 'ping-summary' }>): string {
  const lost = event.sent === 0 ? 0 : ((event.sent - event.received) / event.sent) * 100;
  const times = [event.minMs, event.meanMs, event.maxMs].map((ms) => ms?.toFixed(2) ?? '-').join('/');
  return `${event.address}: ${event.sent} sent, ${event.received} received, ${lost.toFixed(0)} % lost, min/mean/max ${times} ms`;
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
