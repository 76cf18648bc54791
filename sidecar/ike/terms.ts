/** The terms that an SA lives by: a gateway's come from its policy, a client's from its connection. */
import type { Algorithms, Retransmit } from '../contract/gateway-config.ts';
import { ruleOf } from './authentication-rule.ts';
import type { Context, Policy } from './context.ts';
import { ProtocolError } from './error.ts';
import type { IkeSa } from './sa.ts';
import { Notify } from './wire/registry.ts';

export interface Terms {
  readonly ike: Algorithms;
  readonly esp: Algorithms;
  readonly rekeyMs: number;
  readonly childRekeyMs: number;
  readonly deadPeerMs: number;
}

export function termsOf(sa: Pick<IkeSa, 'connection' | 'phase'>, ctx: Pick<Context, 'policy'>): Terms {
  const { connection } = sa;
  if (connection) return connection;
  const { config } = inForce(ctx);
  const { ike, esp } = config;
  return {
    ike: ike.algorithms,
    esp: esp.algorithms,
    rekeyMs: ruleOf(sa, config)?.rekeyMs ?? ike.rekeyMs,
    childRekeyMs: esp.rekeyMs,
    deadPeerMs: ike.deadPeerMs,
  };
}

export const retransmitOf = (sa: Pick<IkeSa, 'connection'>, ctx: Pick<Context, 'policy'>): Retransmit =>
  sa.connection?.retransmit ?? inForce(ctx).config.ike.retransmit;

export const fragmentBytesOf = (sa: Pick<IkeSa, 'connection'>, ctx: Pick<Context, 'policy'>): number =>
  sa.connection?.fragmentBytes ?? inForce(ctx).config.ike.fragmentBytes;

/** A gateway that has not been configured answers nobody. */
export function inForce(ctx: Pick<Context, 'policy'>): Policy {
  if (!ctx.policy) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, 'no configuration yet');
  return ctx.policy;
}

/** Prefixes that this client may reach. A session whose rule is gone, and that no other fits, has no part in anything new. */
export function routesOf(sa: Pick<IkeSa, 'phase'>, ctx: Pick<Context, 'policy'>): readonly string[] {
  const { config } = inForce(ctx);
  const rule = ruleOf(sa, config);
  return rule ? (rule.routes ?? config.routes) : [];
}
