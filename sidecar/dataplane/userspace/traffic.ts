/** What the data plane counts, and where it begins. */
import type { DropReason, Traffic } from '../dataplane.ts';

export const NO_TRAFFIC: Traffic = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };

export const NO_DROPS: Readonly<Record<DropReason, number>> = {
  'unknown-spi': 0,
  malformed: 0,
  replay: 0,
  authentication: 0,
  selector: 0,
  dummy: 0,
  'no-child': 0,
  exhausted: 0,
  'hop-limit': 0,
  isolated: 0,
  undeliverable: 0,
  'past-kernel': 0,
};

export function plus(left: Traffic, right: Traffic): Traffic {
  return {
    packetsIn: left.packetsIn + right.packetsIn,
    bytesIn: left.bytesIn + right.bytesIn,
    packetsOut: left.packetsOut + right.packetsOut,
    bytesOut: left.bytesOut + right.bytesOut,
  };
}
