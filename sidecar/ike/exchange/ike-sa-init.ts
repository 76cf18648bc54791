/**
 * IKE_SA_INIT (RFC 7296 §1.2): agree on algorithms, exchange nonces, do a Diffie-Hellman.
 *
 *     HDR, [N(COOKIE),] SAi1, KEi, Ni, N+   -->
 *                                           <--   HDR, SAr1, KEr, Nr, N+
 *                                     or    <--   HDR, N(COOKIE) | N(INVALID_KE_PAYLOAD) | N(NO_PROPOSAL_CHOSEN)
 */
import type { GatewayConfig } from '../../contract/gateway-config.ts';
import { keyExchangeOf } from '../algorithms.ts';
import { certificateRequest } from '../certificate-payloads.ts';
import type { Connection } from '../connection.ts';
import type { Context } from '../context.ts';
import { ProtocolError } from '../error.ts';
import { concludeKeyed, respondHalfOpen, sendFirst } from '../first-agreement.ts';
import {
  admit,
  answeredHandshake,
  capabilities,
  demandCookie,
  errorOf,
  findNotify,
  MAX_RETRIES,
  NONCE_BYTES,
  type Notifies,
  nameOfNotify,
  withCookie,
} from '../first-exchange.ts';
import type { Handshake, KeyPair } from '../handshake-phase.ts';
import { agreesOnPpk, missing, needsAdditional } from '../own-post-quantum-key.ts';
import { acceptedIke, type ChosenIke, chooseIke, demandKe, ikeProposals, offersAdditional } from '../proposal.ts';
import { followFirst, redirectFirst, redirectOffer } from '../redirect.ts';
import type { InPhase, Path } from '../sa.ts';
import { hashesOf, signatureHashes } from '../signature-auth.ts';
import { event, type Step, which } from '../step.ts';
import { inForce } from '../terms.ts';
import { resumptionFormOf } from '../vendor.ts';
import { type Bytes, Reader } from '../wire/bytes.ts';
import { decodeMessage, type Message, NO_SPI } from '../wire/message.ts';
import { notify, type Payload, type PayloadOf, type Proposal } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

const request = shape({ sa: 'SA', ke: 'KE', nonce: 'NONCE', notifies: 'N*' });
const response = shape({ sa: 'SA?', ke: 'KE?', nonce: 'NONCE?', vendors: 'V*', notifies: 'N*' });

export function initiate(connection: Connection, handshake: Handshake, ctx: Context): Step {
  const [group] = connection.ike.keyExchange;
  const spiI = ctx.newIkeSpi();
  const nonce = ctx.random(NONCE_BYTES);
  const ke = keyPair(group ?? 0, ctx);
  const proposals = offers(connection, ctx);
  const payloads: Payload[] = [
    { kind: 'SA', proposals },
    kePayload(ke),
    { kind: 'NONCE', data: nonce },
    ...(offersAdditional(proposals) ? [notify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED)] : []), // RFC 9370 §2.2.1
    ...(connection.authentication.method === 'psk' ? [] : [signatureHashes()]),
    ...capabilities(spiI, NO_SPI, connection.path, connection.forceEncapsulation, ctx),
    ...redirectOffer(connection),
    ...(connection.ppk ? [notify(Notify.USE_PPK)] : []), // RFC 8784 §3
  ];
  const phase = { name: 'initSent', connection, handshake, nonce, ke, doubted: false, retries: 0 } as const;
  return sendFirst(Exchange.IKE_SA_INIT, spiI, phase, payloads, ctx);
}

export function respond(message: Message, datagram: Bytes, path: Path, ctx: Context): Step {
  const { config, credentials } = inForce(ctx);
  const { sa: offered, ke, nonce, notifies } = request(message.payloads);
  const demand = demandCookie(message, nonce.data, notifies, path, ctx);
  if (demand) return demand;
  const elsewhere = redirectFirst(message, nonce.data, notifies, path, ctx);
  if (elsewhere) return elsewhere;
  admit(path, ctx);
  const intermediate = findNotify(notifies, Notify.INTERMEDIATE_EXCHANGE_SUPPORTED) !== undefined;
  const { algorithms } = config.ike;
  // RFC 9370 §2.2.1: further key exchanges need IKE_INTERMEDIATE; without it nothing but NONE can be chosen.
  const additional = intermediate ? algorithms.additionalKeyExchange : [];
  // RFC 8784 §3: without keys of the kind the notification is ignored.
  const ppk = credentials.hasPpks && findNotify(notifies, Notify.USE_PPK) !== undefined;
  const choices = [offered.proposals, offered.proposals.filter((one) => offersAdditional([one]))].flatMap(
    (proposals) => chooseIke(proposals, algorithms, ke.group, additional) ?? [],
  );
  const [first] = choices;
  if (!first) throw new ProtocolError('refuse', Notify.NO_PROPOSAL_CHOSEN, 'no proposal that we accept');
  // A cipher that we like less is better than no session, where the policy demands what only its proposal has.
  const chosen = choices.find((one) => meetsPolicy(config, ppk, one, ctx)) ?? first;
  const { suite } = chosen;
  if (!meetsPolicy(config, ppk, chosen, ctx))
    throw new ProtocolError('refuse', Notify.NO_PROPOSAL_CHOSEN, 'nothing that is safe from quantum computers');
  // RFC 7296 §1.2: "the responder ... indicates its preferred Diffie-Hellman group".
  demandKe(suite.ke, ke);
  const group = keyExchangeOf(ctx.crypto, suite.ke);
  if (ke.data.length !== group.requestLength) throw ProtocolError.malformed(`KE of ${ke.data.length} bytes in group ${suite.ke}`);
  // A public value that the group forbids ends here without an SA; a stranger who sends many is soon asked for a cookie.
  ctx.strain.add(ctx.now);
  const { publicValue, shared } = group.respond(ke.data, ctx.random);
  ctx.strain.relieve(ctx.now);
  const payloads: Payload[] = [
    { kind: 'SA', proposals: [chosen.proposal] },
    { kind: 'KE', group: suite.ke, data: publicValue },
    ...(intermediate ? [notify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED)] : []), // RFC 9242 §3.1
    ...(ppk ? [notify(Notify.USE_PPK)] : []),
    ...certificatesWanted(notifies, datagram.length, ctx),
    ...(config.childless === 'allow' ? [notify(Notify.CHILDLESS_IKEV2_SUPPORTED)] : []), // RFC 6023 §3
  ];
  const agreement = { suite, additional: chosen.additional, secret: { from: 'full', shared }, resumed: undefined } as const;
  return respondHalfOpen({ message, datagram, nonce: nonce.data, notifies }, path, agreement, payloads, ctx);
}

/** What belongs to signatures, where a client may prove itself by one. RFC 7427 §4: hashes to who names its own. No stranger gets long lists for little: `room` in bytes. */
function certificatesWanted(notifies: Notifies, room: number, ctx: Context): readonly Payload[] {
  const { config, credentials } = inForce(ctx);
  const isWanted = config.authentication.some(({ method }) => method === 'certificate');
  const hashes = hashesOf(notifies).length > 0 && credentials.certificate ? [signatureHashes()] : [];
  return [...(isWanted ? certificateRequest(credentials.trust.keyHashes, room) : []), ...hashes];
}

export function conclude(sa: InPhase<'initSent'>, message: Message, datagram: Bytes, ctx: Context): Step {
  const { phase } = sa;
  const { sa: answer, ke, nonce, vendors, notifies } = response(message.payloads);
  if (!answer || !ke || !nonce) return again(sa, notifies, ctx);
  const { connection } = phase;
  const { suite, additional } = acceptedIke(answer.proposals, offers(connection, ctx));
  if (suite.ke !== phase.ke.id || ke.group !== phase.ke.id)
    throw ProtocolError.malformed(`KE of group ${ke.group}, ours is ${phase.ke.id}`);
  // RFC 9370 §2.2.1: there is no way to do what was chosen.
  if (additional.length > 0 && !findNotify(notifies, Notify.INTERMEDIATE_EXCHANGE_SUPPORTED))
    throw ProtocolError.malformed('further key exchanges without IKE_INTERMEDIATE');
  const ppk = agreesOnPpk(connection, notifies);
  const lacking = missing(connection, { ppk, methods: [suite.ke, ...additional] }, ctx);
  if (lacking) return doubt(sa, lacking);
  const shared = keyExchangeOf(ctx.crypto, suite.ke).conclude(phase.ke.privateKey, ke.data);
  const agreement = { suite, additional, secret: { from: 'full', shared }, resumed: undefined } as const;
  const first = { message, datagram, nonce: nonce.data, notifies, resumptionForm: resumptionFormOf(vendors) };
  return concludeKeyed(sa, first, agreement, ctx);
}

/** Nothing that a connection would refuse in the end. */
const offers = (connection: Connection, ctx: Context): Proposal[] =>
  ikeProposals(connection.ike, { additional: needsAdditional(connection, ctx) ? 'only' : true });

/**
 * RFC 8784 §6: "it waits for more response messages, retransmitting the request as if no responses were received at all": this one may
 * be forged. The reason is told once.
 */
function doubt(sa: InPhase<'initSent'>, reason: string): Step {
  const refused = { name: 'refused', by: 'us', exchange: 'IKE_SA_INIT', notify: 'NO_PROPOSAL_CHOSEN', reason } as const;
  const outputs = sa.phase.doubted ? [] : [event({ ...refused, ...which(sa) })];
  return { sa: { ...sa, phase: { ...sa.phase, doubted: true } }, outputs };
}

/** No SA in the answer: a cookie to bring back, another group to try, or a refusal. */
function again(sa: InPhase<'initSent'>, notifies: Notifies, ctx: Context): Step {
  const { phase, spiI } = sa;
  const elsewhere = followFirst(sa, phase, notifies);
  if (elsewhere) return elsewhere;
  const retry = { ...phase, retries: phase.retries + 1, handshake: answeredHandshake(phase.handshake) };
  const retriable = phase.retries < MAX_RETRIES;
  const cookie = findNotify(notifies, Notify.COOKIE);
  if (cookie && retriable) return sendFirst(Exchange.IKE_SA_INIT, spiI, retry, withCookie(phase.request, cookie.data), ctx);
  const group = wantedGroup(notifies);
  // What has been answered already: a copy, or the answer to a copy of our first request.
  if (group === phase.ke.id) throw ProtocolError.malformed('a repeated INVALID_KE_PAYLOAD');
  // RFC 7296 §1.2: only a group that we offered.
  if (group !== undefined && retriable && phase.connection.ike.keyExchange.includes(group)) {
    const ke = keyPair(group, ctx);
    // RFC 7296 §1.2: the full set of suites again; §2.6.1: a cookie stays, in case that the peer takes it once more.
    const payloads = decodeMessage(phase.request).payloads.map((one) => (one.kind === 'KE' ? kePayload(ke) : one));
    return sendFirst(Exchange.IKE_SA_INIT, spiI, { ...retry, ke }, payloads, ctx);
  }
  const error = errorOf(notifies);
  if (!error) throw ProtocolError.malformed('an IKE_SA_INIT response without SA, KE, Nr or error');
  throw new ProtocolError('abort', error.notify as Notify, `the gateway refuses: ${nameOfNotify(error.notify)}`);
}

/** What the policy demands of keys. Whether the peer has the right post-quantum key is for IKE_AUTH to tell. */
function meetsPolicy({ ike }: GatewayConfig, ppk: boolean, { suite, additional }: ChosenIke, ctx: Context): boolean {
  const safe = ppk || [suite.ke, ...additional].some((method) => keyExchangeOf(ctx.crypto, method).postQuantum);
  return !(ike.ppk === 'required' && !ppk) && !(ike.postQuantum === 'required' && !safe);
}

function wantedGroup(notifies: Notifies): number | undefined {
  const wrong = findNotify(notifies, Notify.INVALID_KE_PAYLOAD);
  return wrong && new Reader(wrong.data).u16();
}

const kePayload = ({ id, publicValue }: KeyPair): PayloadOf<'KE'> => ({ kind: 'KE', group: id, data: publicValue });

const keyPair = (group: number, ctx: Context): KeyPair => ({
  id: group,
  ...keyExchangeOf(ctx.crypto, group).generate(ctx.random),
});
