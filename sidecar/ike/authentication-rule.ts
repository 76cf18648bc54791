/** Which authentication rule holds for a peer: the first whose method and identities fit. What it grants holds as long as the SA. */
import type { AuthenticationRule } from '../contract/authentication.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { matchesAny } from '../contract/identity-pattern.ts';
import type { Credential } from './established.ts';
import type { Identity, IkeSa } from './sa.ts';
import { isSignature } from './signature-auth.ts';
import { AuthMethod } from './wire/registry.ts';

export type Way = 'psk' | 'certificate' | 'eap';

/** In the order in which they are tried. */
export const rulesFor = (config: GatewayConfig, way: Way, identity: Identity): readonly AuthenticationRule[] =>
  config.authentication.filter((rule) => wayOf(rule) === way && matchesAny(rule.identities, identity));

/** Rules of EAP before the identity that EAP proves is known. */
export const eapRules = (config: GatewayConfig): readonly AuthenticationRule[] =>
  config.authentication.filter((rule) => wayOf(rule) === 'eap');

export const wayOf = ({ method }: AuthenticationRule): Way => (method === 'psk' || method === 'certificate' ? method : 'eap');

/** The rule of an established SA; when a change of policy has taken it away, the one that the peer would fall under now. */
export function ruleOf({ phase }: Pick<IkeSa, 'phase'>, config: GatewayConfig): AuthenticationRule | undefined {
  if (phase.name !== 'established') return undefined;
  const { credential, remote } = phase;
  const named = config.authentication.find(({ name }) => name === credential.rule);
  return named ?? ruleAnew(credential, remote, config);
}

/** For a session that authenticated itself earlier, maybe at another pod under another policy. */
export function ruleAnew(
  credential: Pick<Credential, 'method' | 'eapType'>,
  identity: Identity,
  config: GatewayConfig,
): AuthenticationRule | undefined {
  const way = wayOfCredential(credential);
  const [first] = way ? rulesFor(config, way, identity) : [];
  return first;
}

function wayOfCredential({ method, eapType }: Pick<Credential, 'method' | 'eapType'>): Way | undefined {
  if (eapType !== undefined) return 'eap';
  if (isSignature(method)) return 'certificate';
  return method === AuthMethod.SHARED_KEY ? 'psk' : undefined;
}
