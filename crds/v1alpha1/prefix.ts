/** Addresses and prefixes as the validation rules of Kubernetes see them (the functions isIP and isCIDR of its CEL library). */
import { isIPv4, isIPv6 } from 'node:net';

export const isAddress = (text: string): boolean => isIPv4(text) || (isIPv6(text) && !/[%.]/.test(text));

export interface Prefix {
  readonly bits: bigint;
  /** 32 or 128. */
  readonly width: number;
  readonly length: number;
}

export function parsePrefix(text: string): Prefix | undefined {
  const [, address = '', digits = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (!isAddress(address)) return undefined;
  const width = isIPv4(address) ? 32 : 128;
  const length = Number(digits);
  return length <= width ? { bits: width === 32 ? bitsOfIpv4(address) : bitsOfIpv6(address), width, length } : undefined;
}

/** No bit is set behind its length. */
export const isMasked = ({ bits, width, length }: Prefix): boolean => bits % (1n << BigInt(width - length)) === 0n;

/** Every address of `inner` is one of `outer`. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  const behind = BigInt(outer.width - outer.length);
  return outer.width === inner.width && outer.length <= inner.length && outer.bits >> behind === inner.bits >> behind;
}

const bitsOfIpv4 = (address: string): bigint => address.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);

function bitsOfIpv6(address: string): bigint {
  const [head = [], tail] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = tail ? Array<string>(8 - head.length - tail.length).fill('0') : [];
  return [...head, ...zeros, ...(tail ?? [])].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
