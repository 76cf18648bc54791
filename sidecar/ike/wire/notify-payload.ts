/** The payloads that name SAs by their SPIs: Notify (RFC 7296 §3.10) and Delete (§3.11). */
import { ProtocolError } from '../error.ts';
import type { Bytes } from './bytes.ts';
import type { Codec } from './codec.ts';
import { Protocol } from './registry.ts';

export interface NotifyBody {
  /** Of the SA that `spi` names; 0 (NONE) without an SPI. */
  readonly protocol: number;
  readonly notify: number;
  readonly spi: Bytes;
  readonly data: Bytes;
}

export interface DeleteBody {
  readonly protocol: number;
  /** 4 bytes each; none for the IKE SA, which the message itself names. */
  readonly spis: readonly Bytes[];
}

/** RFC 7296 §3.10, §3.11: no SPI for IKE, 4 bytes for AH and ESP. */
const spiSizes: Readonly<Record<number, number>> = { [Protocol.IKE]: 0, [Protocol.AH]: 4, [Protocol.ESP]: 4 };

export const notifyPayload: Codec<NotifyBody> = {
  number: 41,
  decode: (r) => {
    const protocol = r.u8();
    const spiSize = r.u8();
    const notify = r.u16();
    if (spiSize !== 0 && spiSize !== (spiSizes[protocol] ?? spiSize)) throw wrongSpi(protocol, spiSize);
    // RFC 7296 §3.10: without an SPI the protocol "MUST be sent as zero and MUST be ignored on receipt".
    return { protocol: spiSize === 0 ? Protocol.NONE : protocol, notify, spi: r.take(spiSize), data: r.rest() };
  },
  encode: (w, { protocol, notify, spi, data }) => {
    w.u8(spi.length === 0 ? Protocol.NONE : protocol)
      .u8(spi.length)
      .u16(notify)
      .bytes(spi)
      .bytes(data);
  },
};

export const deletePayload: Codec<DeleteBody> = {
  number: 42,
  decode: (r) => {
    const protocol = r.u8();
    const spiSize = r.u8();
    const count = r.u16();
    if (spiSize !== spiSizes[protocol]) throw wrongSpi(protocol, spiSize);
    // RFC 7296 §3.11: the IKE SA is deleted with "no SPIs".
    if (spiSize === 0 && count !== 0) throw ProtocolError.malformed(`${count} SPIs without a size`);
    const spis = Array.from({ length: count }, () => r.take(spiSize));
    return { protocol, spis };
  },
  encode: (w, { protocol, spis }) => {
    w.u8(protocol)
      .u8(spiSizes[protocol] ?? 0)
      .u16(spis.length);
    for (const spi of spis) w.bytes(spi);
  },
};

const wrongSpi = (protocol: number, size: number): ProtocolError =>
  ProtocolError.malformed(`SPI of ${size} bytes for protocol ${protocol}`);
