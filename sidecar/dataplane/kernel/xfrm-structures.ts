/** Structures that several messages of XFRM share (linux/xfrm.h), laid out as 64-bit little-endian machines do. */
import { type Bytes, equalBytes } from '../../ike/wire/bytes.ts';
import { viewOf } from './netlink-message.ts';

export const NETLINK_XFRM = 6;
export const IPPROTO_ESP = 50;
export const XFRM_MODE_TUNNEL = 1;
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const XfrmMessage = {
  NEWSA: 0x10,
  DELSA: 0x11,
  GETSA: 0x12,
  NEWPOLICY: 0x13,
  DELPOLICY: 0x14,
  GETPOLICY: 0x15,
  EXPIRE: 0x18,
  UPDPOLICY: 0x19,
  UPDSA: 0x1a,
  NEWAE: 0x1e,
  GETAE: 0x1f,
  MAPPING: 0x26,
} as const;

export const XfrmAttribute = {
  ALG_AUTH: 1,
  ALG_CRYPT: 2,
  ENCAP: 4,
  TMPL: 5,
  LTIME_VAL: 9,
  REPLAY_VAL: 10,
  REPLAY_THRESH: 11,
  ALG_AEAD: 18,
  ALG_AUTH_TRUNC: 20,
  MARK: 21,
  REPLAY_ESN_VAL: 23,
  PROTO: 25,
  MTIMER_THRESH: 32,
} as const;

/** Which packets: a prefix on either side, and ports where the bits of the mask are set. ICMP has its type as source port and its code as destination port. */
export interface XfrmSelector {
  /** AF_UNSPEC: any packet of any family; then the rest says nothing. */
  readonly family: typeof AF_UNSPEC | typeof AF_INET | typeof AF_INET6;
  readonly source: XfrmPrefix;
  readonly destination: XfrmPrefix;
  /** 0: any. */
  readonly protocol: number;
  readonly sourcePort: PortMask;
  readonly destinationPort: PortMask;
}

export interface XfrmPrefix {
  /** 4 or 16 bytes. */
  readonly address: Bytes;
  readonly length: number;
}

export interface PortMask {
  readonly port: number;
  /** 0: any port. */
  readonly mask: number;
}

/** Of an SA: destination, SPI and protocol name it (RFC 4301 §4.1). */
export interface StateId {
  /** 4 or 16 bytes. */
  readonly destination: Bytes;
  readonly spi: number;
}

export const ADDRESS_BYTES = 16;
export const SELECTOR_BYTES = 56;
/** struct xfrm_id: address, SPI, protocol. */
export const ID_BYTES = 24;
/** struct xfrm_usersa_id: address, SPI, family, protocol. */
export const STATE_ID_BYTES = 24;
export const LIFETIME_BYTES = 64;
export const USED_BYTES = 32;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

export const ANY_PORT: PortMask = { port: 0, mask: 0 };
const NO_PREFIX: XfrmPrefix = { address: new Uint8Array(4), length: 0 };
export const ANY_PACKET: XfrmSelector = {
  family: AF_UNSPEC,
  source: NO_PREFIX,
  destination: NO_PREFIX,
  protocol: 0,
  sourcePort: ANY_PORT,
  destinationPort: ANY_PORT,
};

export const familyOf = (address: Bytes): typeof AF_INET | typeof AF_INET6 => (address.length === 4 ? AF_INET : AF_INET6);

export function putSelector(view: DataView, at: number, selector: XfrmSelector): void {
  putAddress(view, at, selector.destination.address);
  putAddress(view, at + 16, selector.source.address);
  view.setUint16(at + 32, selector.destinationPort.port);
  view.setUint16(at + 34, selector.destinationPort.mask);
  view.setUint16(at + 36, selector.sourcePort.port);
  view.setUint16(at + 38, selector.sourcePort.mask);
  view.setUint16(at + 40, selector.family, true);
  view.setUint8(at + 42, selector.destination.length);
  view.setUint8(at + 43, selector.source.length);
  view.setUint8(at + 44, selector.protocol);
}

export function getSelector(view: DataView, at: number): XfrmSelector {
  const family = view.getUint16(at + 40, true);
  if (family !== AF_INET && family !== AF_INET6) return ANY_PACKET;
  return {
    family,
    destination: { address: getAddress(view, at, family), length: view.getUint8(at + 42) },
    source: { address: getAddress(view, at + 16, family), length: view.getUint8(at + 43) },
    protocol: view.getUint8(at + 44),
    destinationPort: { port: view.getUint16(at + 32), mask: view.getUint16(at + 34) },
    sourcePort: { port: view.getUint16(at + 36), mask: view.getUint16(at + 38) },
  };
}

export function putAddress(view: DataView, at: number, address: Bytes): void {
  new Uint8Array(view.buffer, view.byteOffset + at, ADDRESS_BYTES).set(address);
}

/** A copy. */
export const getAddress = (view: DataView, at: number, family: number): Bytes =>
  new Uint8Array(view.buffer, view.byteOffset + at, family === AF_INET ? 4 : ADDRESS_BYTES).slice();

/** struct xfrm_usersa_id */
export function putStateId(view: DataView, at: number, { destination, spi }: StateId): void {
  putAddress(view, at, destination);
  view.setUint32(at + 16, spi);
  view.setUint16(at + 20, familyOf(destination), true);
  view.setUint8(at + 22, IPPROTO_ESP);
}

export function getStateId(view: DataView, at: number): StateId {
  return { destination: getAddress(view, at, view.getUint16(at + 20, true)), spi: view.getUint32(at + 16) };
}

/** Bytes and packets after which an SA is reported, and after which it is gone; 0: never. */
export interface Limits {
  readonly softBytes: number;
  readonly hardBytes: number;
  readonly softPackets: number;
  readonly hardPackets: number;
}

export const NO_LIMITS: Limits = { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 };

/** struct xfrm_lifetime_cfg. Time limits are for the IKE core. */
export function putLimits(view: DataView, at: number, limits: Limits): void {
  [limits.softBytes, limits.hardBytes, limits.softPackets, limits.hardPackets].forEach((limit, index) => {
    view.setBigUint64(at + 8 * index, limit > 0 ? BigInt(limit) : UNLIMITED, true);
  });
}

/** Of inner packets, since the SA was installed. */
export interface Used {
  readonly bytes: number;
  readonly packets: number;
}

/** struct xfrm_lifetime_cur */
export const getUsed = (view: DataView, at: number): Used => ({
  bytes: Number(view.getBigUint64(at, true)),
  packets: Number(view.getBigUint64(at + 8, true)),
});

export function encodeMark(mark: number): Bytes {
  const bytes = new Uint8Array(8);
  const view = viewOf(bytes);
  view.setUint32(0, mark, true);
  view.setUint32(4, 0xffff_ffff, true);
  return bytes;
}

/** 0: none. */
export const decodeMark = (bytes: Bytes | undefined): number =>
  bytes && bytes.length >= 8 ? viewOf(bytes).getUint32(0, true) : 0;

export const equalSelectors = (a: XfrmSelector, b: XfrmSelector): boolean => equalBytes(selectorBytes(a), selectorBytes(b));

export function selectorBytes(selector: XfrmSelector): Bytes {
  const bytes = new Uint8Array(SELECTOR_BYTES);
  putSelector(viewOf(bytes), 0, selector);
  return bytes;
}
