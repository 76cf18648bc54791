/** Asking for a ticket and granting one (RFC 5723 §4.1, §4.2): the notifies that ride in other exchanges. */
import type { Context } from './context.ts';
import type { Established } from './established.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import { type Identity, type IkeSa, later } from './sa.ts';
import { event, type Output, which } from './step.ts';
import { inForce } from './terms.ts';
import { sealTicket, type TicketState, ticketLifetime } from './ticket.ts';
import { type Bytes, concat, Reader, u32Bytes } from './wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

export type EstablishedSa = IkeSa & { readonly phase: Established };

export interface Granted {
  readonly sa: EstablishedSa;
  readonly payloads: readonly Payload[];
  readonly outputs: readonly Output[];
}

/** RFC 5723 §4.1: each TICKET_REQUEST gets a ticket or a TICKET_NACK, and the exchange goes on unchanged. */
export function grantTicket(sa: EstablishedSa, notifies: Notifies, ctx: Context): Granted {
  if (!findNotify(notifies, Notify.TICKET_REQUEST)) return { sa, payloads: [], outputs: [] };
  const refused = { sa, payloads: [notify(Notify.TICKET_NACK)], outputs: [] };
  // Tickets are for clients; one that was moved into a policy without tickets gets none.
  if (sa.connection || !inForce(ctx).config.tickets.enabled) return refused;
  const { config, ring } = inForce(ctx);
  const lifetimeMs = ticketLifetime(config, ring, ctx.now, sa.phase);
  if (lifetimeMs < 1_000) return refused;
  const ticketId = ctx.random(16);
  const sealed = sealTicket(
    { ring, crypto: ctx.crypto, audience: config.audience, random: ctx.random },
    stateOf(sa, ticketId, lifetimeMs, ctx),
  );
  if (!sealed) return refused;
  revokeTicket(sa, ctx);
  const lifetime = Math.floor(lifetimeMs / 1_000);
  return {
    sa: { ...sa, phase: { ...sa.phase, ticketId } },
    payloads: [notify(Notify.TICKET_LT_OPAQUE, concat(u32Bytes(lifetime), sealed.ticket))],
    outputs: [event({ name: 'ticket-sealed', keyId: sealed.keyId, lifetimeMs, ...which(sa) })],
  };
}

function stateOf(sa: EstablishedSa, ticketId: Bytes, lifetimeMs: number, ctx: Context): TicketState {
  const { phase } = sa;
  return {
    ticketId,
    issuedAt: ctx.now,
    expiresAt: later(ctx.now, lifetimeMs),
    idI: phase.credential.claimed ?? phase.remote,
    idR: phase.local,
    authenticated: phase.credential.claimed && phase.remote, // RFC 5723 §5 note 1
    authMethod: phase.credential.method,
    eapType: phase.credential.eapType,
    certificate: phase.credential.certificate,
    psk: phase.credential.psk,
    authenticatedAt: phase.authenticatedAt,
    reauthenticateBy: phase.reauthenticateBy,
    suite: phase.suite,
    skD: phase.keys.d,
    spiI: sa.spiI,
    spiR: sa.spiR,
    pod: ctx.member.ordinal,
    inner: phase.inner,
    accounting: phase.accounting,
    postQuantum: phase.postQuantum,
  };
}

/** Where the policy lets no ticket outlive its SA, nor its successor: the one that was given for this SA is no good any more. */
export function revokeTicket({ phase }: IkeSa, { policy, spent }: Pick<Context, 'policy' | 'spent'>): void {
  if (phase.name !== 'established' || !phase.ticketId || !policy?.config.tickets.revokeOnDelete) return;
  spent.spend(phase.ticketId, phase.reauthenticateBy);
}

export const ticketRequest = (wanted: boolean): PayloadOf<'N'>[] => (wanted ? [notify(Notify.TICKET_REQUEST)] : []);

/** The client keeps what it asked for and was given; TICKET_ACK and TICKET_NACK mean none for now. */
export function keepTicket(sa: EstablishedSa, notifies: Notifies, ctx: Context): Output[] {
  const granted = findNotify(notifies, Notify.TICKET_LT_OPAQUE);
  if (!granted || !sa.connection?.tickets) return [];
  const reader = new Reader(granted.data);
  const lifetimeMs = reader.u32() * 1_000;
  const { suite, keys, local, remote, authenticatedAt, reauthenticateBy, inner, postQuantum, resumptionForm } = sa.phase;
  const ticket = {
    ticket: reader.rest().slice(),
    expiresAt: later(ctx.now, lifetimeMs),
    ...{ suite, skD: keys.d, local, remote, authenticatedAt, reauthenticateBy, inner, postQuantum },
    form: resumptionForm,
  };
  return [event({ name: 'ticket', connection: sa.connection.name, ticket })];
}

/** RFC 5723 §6.2: the client deletes its ticket when the SA is deleted or rekeyed. */
export const voidTicket = (sa: Pick<IkeSa, 'connection'>, why: string): Output[] =>
  sa.connection ? [event({ name: 'ticket-void', connection: sa.connection.name, why })] : [];

export const sameIdentity = (a: Identity, b: Identity): boolean =>
  a.idType === b.idType && a.data.length === b.data.length && a.data.every((byte, index) => byte === b.data[index]);
