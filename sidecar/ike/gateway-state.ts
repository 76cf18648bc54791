/** What a gateway is and has, and what of it a handler may see in one step. */
import type { AddressPools } from './addresses.ts';
import type { Context, Member, Policy } from './context.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { newOwnedEspSpi, newOwnedSpi } from './owned-spi.ts';
import type { Instant } from './sa.ts';
import type { SaTable } from './sa-table.ts';
import type { SpentTickets } from './spent-tickets.ts';
import type { Strain } from './strain.ts';
import type { Bytes } from './wire/bytes.ts';

export interface GatewayState {
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly member: Member;
  readonly sas: SaTable;
  readonly addresses: AddressPools;
  readonly spent: SpentTickets;
  readonly strain: Strain;
  policy: Policy | undefined;
  carrying: boolean;
}

export function contextOf(state: GatewayState, now: Instant): Context {
  const { crypto, random, member, sas, addresses, spent, strain, policy, carrying } = state;
  const keys = policy && { ring: policy.ring, crypto, audience: policy.config.audience };
  return {
    ...{ now, policy, random, crypto, member, carrying, addresses, spent, strain },
    newIkeSpi: () =>
      unused(
        () => newOwnedSpi(member.ordinal, random, keys),
        (spi) => sas.get(spi) === undefined,
      ),
    newEspSpi: () =>
      unused(
        () => newOwnedEspSpi(member.ordinal, random),
        (spi) => sas.byChild(spi) === undefined,
      ),
    sessionsOf: (remote) => sas.sessionsOf(remote),
    find: (spi) => sas.get(spi),
    hasChild: (spiIn) => sas.byChild(spiIn) !== undefined,
    halfOpen: sas.halfOpen,
    halfOpenFrom: (remote) => sas.halfOpenFrom(remote),
    sessions: sas.established,
  };
}

function unused<T>(draw: () => T, isFree: (value: T) => boolean): T {
  for (let attempt = 0; attempt < 100; attempt++) {
    const drawn = draw();
    if (isFree(drawn)) return drawn;
  }
  throw new Error('no free SPI in a hundred draws: the random source is broken');
}
