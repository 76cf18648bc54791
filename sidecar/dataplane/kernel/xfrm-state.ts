/** Messages about states, one direction of a child SA each: XFRM_MSG_NEWSA, UPDSA, DELSA, GETSA (struct xfrm_usersa_info). */
import type { ChildSa, Sequences } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { type Attribute, decodeAttributes, type Message, NLM_F_DUMP, type Request, u32, viewOf } from './netlink-message.ts';
import { algorithmAttributes } from './xfrm-algorithms.ts';
import { decodeSequences, encodeReplay } from './xfrm-replay.ts';
import {
  AF_UNSPEC,
  decodeMark,
  encodeMark,
  familyOf,
  getAddress,
  getSelector,
  getUsed,
  ID_BYTES,
  IPPROTO_ESP,
  LIFETIME_BYTES,
  type Limits,
  putAddress,
  putLimits,
  putSelector,
  putStateId,
  SELECTOR_BYTES,
  STATE_ID_BYTES,
  type StateId,
  USED_BYTES,
  type Used,
  XFRM_MODE_TUNNEL,
  XfrmAttribute,
  XfrmMessage,
  type XfrmSelector,
} from './xfrm-structures.ts';

/** What is to be installed, or to be in its place. */
export interface XfrmState extends StateId {
  readonly source: Bytes;
  readonly reqid: number;
  readonly mark: number;
  readonly suite: ChildSa['suite'];
  readonly keys: ChildSa['keyIn'];
  /** Packets that may be inside; ANY_PACKET leaves that to the policies. */
  readonly selector: XfrmSelector;
  readonly encapsulation: Encapsulation | undefined;
  readonly sequences: Sequences;
  /** The window as the kernel has it in another state, in the place of `sequences`. */
  readonly replay?: Bytes | undefined;
  readonly limits: Limits;
  /** What counts as carried already. */
  readonly used?: Used | undefined;
  /** Packets after which the kernel tells how far it is; 0: about once a second when something moved, once it has told a first time. */
  readonly reportAfter?: number;
  /** Receiving: a peer that is seen elsewhere is reported once a second at most. */
  readonly receives: boolean;
}

/** Ports of ESP in UDP (RFC 3948). */
export interface Encapsulation {
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What the kernel has. */
export interface ForeignState extends StateId {
  readonly source: Bytes;
  readonly protocol: number;
  readonly reqid: number;
  readonly mark: number;
  readonly esn: boolean;
  readonly selector: XfrmSelector;
  readonly encapsulation: Encapsulation | undefined;
  readonly used: Used;
  readonly sequences: Sequences | undefined;
  /** Keys are in it. */
  readonly attributes: ReadonlyMap<number, Bytes>;
}

export const STATE_BYTES = 224;
const ID_AT = SELECTOR_BYTES;
const SOURCE_AT = ID_AT + ID_BYTES;
const LIFETIME_AT = SOURCE_AT + 16;
const USED_AT = LIFETIME_AT + LIFETIME_BYTES;
const REQID_AT = USED_AT + USED_BYTES + 16;
const FAMILY_AT = REQID_AT + 4;
const MODE_AT = FAMILY_AT + 2;
const FLAGS_AT = MODE_AT + 2;
const UDP_ENCAP_ESPINUDP = 2;
/** The outer header says that it may be fragmented, whatever the inner one says: ICMP about a UDP packet seldom comes back through a NAT. */
const XFRM_STATE_NOPMTUDISC = 4;
const XFRM_STATE_AF_UNSPEC = 32;
const XFRM_STATE_ESN = 128;

/** @throws Error for a transform or a key that never was negotiable. */
export const newState = (state: XfrmState): Request => stateRequest(XfrmMessage.NEWSA, state);

/** Ports and limits of a state that there is are replaced; its counters, sequence numbers and addresses are not. */
export const updateState = (state: XfrmState): Request => stateRequest(XfrmMessage.UPDSA, state);

export const deleteState = (id: StateId, mark: number): Request => idRequest(XfrmMessage.DELSA, id, mark);
export const getState = (id: StateId, mark: number): Request => idRequest(XfrmMessage.GETSA, id, mark);

/** All ESP states, with their keys. */
export const dumpStates = (): Request => ({
  type: XfrmMessage.GETSA,
  flags: NLM_F_DUMP,
  fixed: new Uint8Array(0),
  attributes: [{ type: XfrmAttribute.PROTO, value: Uint8Array.of(IPPROTO_ESP) }],
});

/** Undefined for another message. */
export function decodeState({ type, body }: Message): ForeignState | undefined {
  if (type !== XfrmMessage.NEWSA || body.length < STATE_BYTES) return undefined;
  const view = viewOf(body);
  const family = view.getUint16(FAMILY_AT, true);
  const attributes = decodeAttributes(body.subarray(STATE_BYTES));
  return {
    destination: getAddress(view, ID_AT, family),
    spi: view.getUint32(ID_AT + 16),
    protocol: view.getUint8(ID_AT + 20),
    source: getAddress(view, SOURCE_AT, family),
    reqid: view.getUint32(REQID_AT, true),
    mark: decodeMark(attributes.get(XfrmAttribute.MARK)),
    esn: (view.getUint8(FLAGS_AT) & XFRM_STATE_ESN) !== 0,
    selector: getSelector(view, 0),
    encapsulation: decodeEncapsulation(attributes.get(XfrmAttribute.ENCAP)),
    used: getUsed(view, USED_AT),
    sequences: decodeSequences(attributes),
    attributes,
  };
}

function stateRequest(type: number, state: XfrmState): Request {
  return { type, flags: 0, fixed: fixedPart(state), attributes: attributesOf(state) };
}

function fixedPart(state: XfrmState): Bytes {
  const fixed = new Uint8Array(STATE_BYTES);
  const view = viewOf(fixed);
  putSelector(view, 0, state.selector);
  putAddress(view, ID_AT, state.destination);
  view.setUint32(ID_AT + 16, state.spi);
  view.setUint8(ID_AT + 20, IPPROTO_ESP);
  putAddress(view, SOURCE_AT, state.source);
  putLimits(view, LIFETIME_AT, state.limits);
  view.setUint32(REQID_AT, state.reqid, true);
  view.setUint16(FAMILY_AT, familyOf(state.destination), true);
  view.setUint8(MODE_AT, XFRM_MODE_TUNNEL);
  view.setUint8(FLAGS_AT, flagsOf(state));
  return fixed;
}

function flagsOf({ selector, suite, encapsulation }: XfrmState): number {
  const anyFamily = selector.family === AF_UNSPEC ? XFRM_STATE_AF_UNSPEC : 0;
  return anyFamily | (suite.esn ? XFRM_STATE_ESN : 0) | (encapsulation ? XFRM_STATE_NOPMTUDISC : 0);
}

function attributesOf(state: XfrmState): readonly Attribute[] {
  const { encapsulation, mark, used } = state;
  return [
    ...algorithmAttributes(state.suite, state.keys),
    ...(encapsulation ? [{ type: XfrmAttribute.ENCAP, value: encodeEncapsulation(encapsulation) }] : []),
    { type: XfrmAttribute.REPLAY_ESN_VAL, value: state.replay ?? encodeReplay(state.sequences) },
    ...(state.reportAfter === undefined ? [] : [u32(XfrmAttribute.REPLAY_THRESH, state.reportAfter)]),
    ...(used ? [{ type: XfrmAttribute.LTIME_VAL, value: encodeUsed(used) }] : []),
    ...markAttributes(mark),
    ...(encapsulation && state.receives ? [u32(XfrmAttribute.MTIMER_THRESH, 1)] : []),
  ];
}

export const markAttributes = (mark: number): readonly Attribute[] =>
  mark === 0 ? [] : [{ type: XfrmAttribute.MARK, value: encodeMark(mark) }];

function idRequest(type: number, id: StateId, mark: number): Request {
  const fixed = new Uint8Array(STATE_ID_BYTES);
  putStateId(viewOf(fixed), 0, id);
  return { type, flags: 0, fixed, attributes: markAttributes(mark) };
}

/** struct xfrm_encap_tmpl */
function encodeEncapsulation({ sourcePort, destinationPort }: Encapsulation): Bytes {
  const bytes = new Uint8Array(24);
  const view = viewOf(bytes);
  view.setUint16(0, UDP_ENCAP_ESPINUDP, true);
  view.setUint16(2, sourcePort);
  view.setUint16(4, destinationPort);
  return bytes;
}

function decodeEncapsulation(bytes: Bytes | undefined): Encapsulation | undefined {
  if (!bytes || bytes.length < 6) return undefined;
  return { sourcePort: viewOf(bytes).getUint16(2), destinationPort: viewOf(bytes).getUint16(4) };
}

/** struct xfrm_lifetime_cur; times are for nobody. */
function encodeUsed({ bytes, packets }: Used): Bytes {
  const encoded = new Uint8Array(USED_BYTES);
  viewOf(encoded).setBigUint64(0, BigInt(bytes), true);
  viewOf(encoded).setBigUint64(8, BigInt(packets), true);
  return encoded;
}
