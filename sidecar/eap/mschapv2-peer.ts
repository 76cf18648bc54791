/** The peer of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2): proves that it knows the password, and wants the server to prove it too. */
import { type EapOutcome, NO_GRANT } from '../ike/eap.ts';
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, equalBytes, utf8 } from '../ike/wire/bytes.ts';
import type { PeerMethod, PeerStep } from './method.ts';
import { authenticatorResponse, masterSessionKey, ntResponse } from './mschapv2-keys.ts';
import { decodeServerPacket, encodePeerPacket, Op, type ServerPacket } from './mschapv2-packet.ts';
import { EapType } from './packet.ts';

export interface Mschapv2Peer {
  readonly name: string;
  /** 16 bytes (RFC 2759 §8.3). */
  readonly ntHash: Bytes;
  readonly random: (length: number) => Bytes;
}

type State =
  | { readonly name: 'new' }
  /** `proof`: what the server must answer if it knows the password. */
  | { readonly name: 'answered'; readonly id: number; readonly proof: Bytes; readonly outcome: EapOutcome }
  | { readonly name: 'over' };

type Moved = readonly [State, PeerStep];

export function mschapv2Peer(peer: Mschapv2Peer): PeerMethod {
  let state: State = { name: 'new' };
  return {
    type: EapType.MSCHAPV2,
    next(data) {
      const [next, step] = move(state, decodeServerPacket(data), peer);
      state = next;
      return step;
    },
    end() {
      state = { name: 'over' };
    },
  };
}

function move(state: State, packet: ServerPacket, peer: Mschapv2Peer): Moved {
  if (packet.op === Op.FAILURE) return [{ name: 'over' }, { is: 'failure', why: reasonIn(packet.message) }];
  if (state.name === 'new' && packet.op === Op.CHALLENGE) return answer(packet, peer);
  if (state.name === 'answered' && packet.op === Op.SUCCESS) return conclude(state, packet);
  throw ProtocolError.malformed('a message of MSCHAPv2 out of turn');
}

function answer({ id, challenge }: Extract<ServerPacket, { op: 1 }>, { name, ntHash, random }: Mschapv2Peer): Moved {
  const userName = utf8(name);
  const exchange = { authenticatorChallenge: challenge, peerChallenge: random(16), userName };
  const response = ntResponse(ntHash, exchange);
  const outcome = {
    ...{ type: EapType.MSCHAPV2, msk: masterSessionKey(ntHash, response), mutual: false, identity: name },
    ...{ certificate: undefined, granted: NO_GRANT },
  };
  const data = encodePeerPacket({
    ...{ op: Op.RESPONSE, id, peerChallenge: exchange.peerChallenge, ntResponse: response, name: userName },
  });
  return [
    { name: 'answered', id, proof: authenticatorResponse(ntHash, response, exchange), outcome },
    { is: 'response', data, outcome: undefined },
  ];
}

function conclude({ proof, outcome }: Extract<State, { name: 'answered' }>, packet: Extract<ServerPacket, { op: 3 }>): Moved {
  if (!equalBytes(proof, packet.proof))
    return [{ name: 'over' }, { is: 'failure', why: 'the server does not know the password' }];
  return [{ name: 'over' }, { is: 'response', data: encodePeerPacket({ op: Op.SUCCESS }), outcome }];
}

/** RFC 2759 §6. Nothing else of the text is repeated: it is not authenticated. */
function reasonIn(message: string): string {
  const [, code = ''] = /^E=(\d{1,5})\b/.exec(message) ?? [];
  return ERRORS[code] ?? `refused with error ${code}`;
}

const ERRORS: Readonly<Record<string, string>> = {
  646: 'not at this hour',
  647: 'the account is disabled',
  648: 'the password has expired',
  649: 'not allowed to dial in',
  691: 'wrong user or password',
};
