/**
 * The server of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, RFC 2759):
 *
 *     Challenge                 -->
 *                               <--  Response
 *     Success (with our proof)  -->               or  Failure (no retry)  -->
 *                               <--  Success                              <--  Failure
 */
import type { EapUsers } from '../contract/eap-users.ts';
import { type EapOutcome, NO_GRANT } from '../ike/eap.ts';
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, equalBytes, hex, text, utf8 } from '../ike/wire/bytes.ts';
import type { ServerMethod, ServerStep } from './method.ts';
import { authenticatorResponse, masterSessionKey, ntResponse } from './mschapv2-keys.ts';
import { decodePeerPacket, encodeServerPacket, Op, type PeerPacket } from './mschapv2-packet.ts';
import { EapType } from './packet.ts';

export interface Mschapv2Server {
  /** How the server calls itself; peers show it at most. */
  readonly name: string;
  readonly users: Pick<EapUsers, 'ntHash'>;
  readonly random: (length: number) => Bytes;
}

type State =
  | { readonly name: 'new' }
  | { readonly name: 'challenged'; readonly id: number; readonly challenge: Bytes }
  | { readonly name: 'proven'; readonly outcome: EapOutcome }
  | { readonly name: 'refused' };

type Moved = readonly [State, ServerStep];

export function mschapv2Server(server: Mschapv2Server): ServerMethod {
  let state: State = { name: 'new' };
  return {
    type: EapType.MSCHAPV2,
    next(data, identifier) {
      const [next, step] = move(state, data, identifier, server);
      state = next;
      return step;
    },
    end() {
      state = { name: 'refused' };
    },
  };
}

function move(state: State, data: Bytes | undefined, identifier: number, server: Mschapv2Server): Moved {
  if (!data) return challenge(identifier, server);
  const packet = decodePeerPacket(data);
  if (state.name === 'challenged' && packet.op === Op.RESPONSE) return judge(state, packet, server);
  if (state.name === 'proven' && packet.op === Op.SUCCESS) return [state, { is: 'success', outcome: state.outcome }];
  const why = state.name === 'refused' ? 'wrong user or password' : 'a message of MSCHAPv2 out of turn';
  return [{ name: 'refused' }, { is: 'failure', why }];
}

function challenge(id: number, { name, random }: Mschapv2Server): Moved {
  const bytes = random(16);
  const data = encodeServerPacket({ op: Op.CHALLENGE, id, challenge: bytes, name: utf8(name) });
  return [
    { name: 'challenged', id, challenge: bytes },
    { is: 'request', data },
  ];
}

function judge(
  { id, challenge: authenticatorChallenge }: Extract<State, { name: 'challenged' }>,
  packet: Extract<PeerPacket, { op: 2 }>,
  { users }: Mschapv2Server,
): Moved {
  if (packet.id !== id) throw ProtocolError.malformed('another id than that of the challenge');
  const account = accountOf(text(packet.name), users);
  const exchange = { authenticatorChallenge, peerChallenge: packet.peerChallenge, userName: packet.name };
  // Somebody unknown costs what a wrong password costs, to the last hash, and is told the same.
  const right = equalBytes(ntResponse(account.hash, exchange), packet.ntResponse);
  const proof = authenticatorResponse(account.hash, packet.ntResponse, exchange);
  const msk = masterSessionKey(account.hash, packet.ntResponse);
  if (!right || !account.known) return refuse(id, authenticatorChallenge);
  // RFC 5998 §4: an answer can be guessed offline, so this is no method to do without the gateway's certificate.
  const outcome = {
    ...{ type: EapType.MSCHAPV2, msk, mutual: false, identity: account.name },
    ...{ certificate: undefined, granted: NO_GRANT },
  };
  return [
    { name: 'proven', outcome },
    { is: 'request', data: encodeServerPacket({ op: Op.SUCCESS, id, proof }) },
  ];
}

/** RFC 2759 §6: 691 is a failed authentication, R=0 forbids another try. */
function refuse(id: number, challenge: Bytes): Moved {
  const message = `E=691 R=0 C=${hex(challenge).toUpperCase()} V=3 M=Authentication failed`;
  return [{ name: 'refused' }, { is: 'request', data: encodeServerPacket({ op: Op.FAILURE, id, message }) }];
}

interface Account {
  readonly known: boolean;
  /** As it stands in the file: rules are matched with this, never with what a peer put before it. */
  readonly name: string;
  readonly hash: Bytes;
}

const NOBODY: Account = { known: false, name: '', hash: new Uint8Array(16) };

/** A user is found as the peer spells the name, or else without the domain before it. */
function accountOf(given: string, users: Mschapv2Server['users']): Account {
  const bare = given.slice(given.lastIndexOf('\\') + 1);
  const [whole, part] = [users.ntHash(given), users.ntHash(bare)];
  const hash = whole ?? part;
  return hash ? { known: true, name: whole ? given : bare, hash: hash.expose() } : NOBODY;
}
