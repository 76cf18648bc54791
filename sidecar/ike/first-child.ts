/** What the gateway gives with IKE_AUTH (RFC 7296 §1.2, §2.19): inner addresses, and the first child when one is asked for (RFC 6023: it need not be). */
import { type AskedChild, acceptChild, type Child, install, madeChild, trafficOf } from './child.ts';
import { assignAddresses } from './configuration.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { nameOfNotify } from './first-exchange.ts';
import type { FirstMessages } from './handshake-phase.ts';
import { ownSpi } from './sa.ts';
import { event, type Output, which } from './step.ts';
import { inForce } from './terms.ts';
import type { EstablishedSa } from './ticket-request.ts';
import type { Bytes } from './wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

interface Asked {
  readonly sa: PayloadOf<'SA'> | undefined;
  readonly tsi: PayloadOf<'TSi'> | undefined;
  readonly tsr: PayloadOf<'TSr'> | undefined;
  readonly cp: PayloadOf<'CP'> | undefined;
}

/** Inner addresses that are the peer's to have back, and those that it must be given. */
interface Former {
  readonly proven: readonly Bytes[];
  readonly granted: readonly Bytes[];
}

export interface FirstChild {
  readonly sa: EstablishedSa;
  readonly payloads: readonly Payload[];
  readonly outputs: readonly Output[];
}

/** RFC 7296 §1.2: when the child fails, the IKE SA is there all the same, and its addresses with it. */
export function firstChild(sa: EstablishedSa, { ni, nr }: FirstMessages, asked: Asked, had: Former, ctx: Context): FirstChild {
  const child = childOf(asked);
  // RFC 6023 §3: only where we said that we can do that; else RFC 7296 §1.2 wants them.
  if (!child && inForce(ctx).config.childless === 'never')
    throw new ProtocolError('abort', Notify.INVALID_SYNTAX, 'no child is asked for');
  const assigned = assignAddresses(asked.cp, sa, { holder: ownSpi(sa), ...had }, ctx);
  if (assigned.failed) {
    const refused = notify(Notify.INTERNAL_ADDRESS_FAILURE);
    return { sa, payloads: [refused], outputs: [event({ name: 'address-refused', remote: sa.phase.remote })] };
  }
  const { inner, reply } = assigned;
  const addressed: EstablishedSa = { ...sa, phase: { ...sa.phase, inner } };
  // RFC 6023 §4: "the IKE_AUTH exchange ... without the Child SA"; children come later.
  if (!child) return { sa: addressed, payloads: reply, outputs: [] };
  // RFC 7296 §2.19: clients of pools have no address unless they ask for one.
  if (inner.length === 0) {
    const refused = { refused: Notify.FAILED_CP_REQUIRED, reason: 'no inner address was asked for' };
    return { sa, payloads: [notify(refused.refused)], outputs: [refusal(sa, 'us', refused)] };
  }
  const agreed = acceptChild(addressed, child, trafficOf(addressed, ctx), { ni, nr, inAuth: true }, ctx);
  if ('refused' in agreed)
    return { sa: addressed, payloads: [notify(agreed.refused, agreed.data)], outputs: [refusal(addressed, 'us', agreed)] };
  return { ...withChild(addressed, madeChild(addressed, agreed.agreement, [], ctx)), payloads: [...reply, ...agreed.payloads] };
}

export const withChild = (sa: EstablishedSa, child: Child): { sa: EstablishedSa; outputs: Output[] } => ({
  sa: { ...sa, phase: { ...sa.phase, children: [child] } },
  outputs: install(sa, child),
});

export const childOf = ({ sa, tsi, tsr }: Omit<Asked, 'cp'>): AskedChild | undefined =>
  sa && tsi && tsr && { sa, ke: undefined, tsi, tsr };

export const refusal = (
  sa: EstablishedSa,
  by: 'us' | 'peer',
  { refused, reason }: { readonly refused: number; readonly reason: string },
): Output => event({ name: 'refused', by, exchange: 'IKE_AUTH', notify: nameOfNotify(refused), reason, ...which(sa) });
