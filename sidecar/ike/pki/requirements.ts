/** What each certificate of a chain must be (RFC 5280 §6.1.3, §6.1.4; RFC 4945 §5.1.3), asked in the order in which strongSwan asks. */
import type { Instant } from '../sa.ts';
import type { Certificate } from './certificate.ts';
import { KeyUsage } from './extension.ts';
import { formatName } from './name.ts';
import { keepsTo } from './name-constraints.ts';
import { Purpose } from './object-identifier.ts';
import type { Demand, Distrust } from './trust.ts';

export interface Fault {
  readonly reason: Distrust;
  readonly detail: string;
}

export const fault = (reason: Distrust, detail: string): Fault => ({ reason, detail });

/** `chain`: the peer's certificate, its intermediates, the anchor. Undefined: nothing is wrong. */
export function faultOf(chain: readonly Certificate[], { now, usage }: Pick<Demand, 'now' | 'usage'>): Fault | undefined {
  const [peer, ...authorities] = chain;
  if (!peer) return fault('no-certificate', 'none was sent');
  return (
    firstOf(chain, (certificate) => faultOfTime(certificate, now)) ??
    firstOf(chain, faultOfExtensions) ??
    firstOf(authorities, (certificate, index) => faultOfAuthority(certificate, authorities.slice(0, index))) ??
    firstOf(authorities, (certificate, index) => faultOfNames(certificate, chain.slice(0, index + 1))) ??
    faultOfUse(peer, usage)
  );
}

function firstOf(
  chain: readonly Certificate[],
  ask: (certificate: Certificate, index: number) => Fault | undefined,
): Fault | undefined {
  for (const [index, certificate] of chain.entries()) {
    const found = ask(certificate, index);
    if (found) return found;
  }
  return undefined;
}

const said = ({ subject }: Certificate): string => `"${formatName(subject)}"`;

/** RFC 5280 §6.1.3 a 2; of the anchor too, which strongSwan wants and the RFC leaves open. */
function faultOfTime(certificate: Certificate, now: Instant): Fault | undefined {
  if (now < certificate.notBefore) return fault('not-yet-valid', said(certificate));
  return now > certificate.notAfter ? fault('expired', said(certificate)) : undefined;
}

function faultOfExtensions(certificate: Certificate): Fault | undefined {
  const { unknown } = certificate.extensions;
  // RFC 5280 §6.1.4 o: critical extensions that are not understood.
  return unknown === undefined ? undefined : fault('constraint', `${said(certificate)} has the critical extension ${unknown}`);
}

function faultOfAuthority(certificate: Certificate, below: readonly Certificate[]): Fault | undefined {
  const { authority, pathLength, keyUsage } = certificate.extensions;
  // RFC 5280 §6.1.4 k, n.
  if (!authority) return fault('constraint', `${said(certificate)} is not an authority`);
  if (keyUsage && !keyUsage.has(KeyUsage.KEY_CERT_SIGN))
    return fault('constraint', `${said(certificate)} may not sign certificates`);
  // RFC 5280 §6.1.4 l, m: those that issued themselves anew do not count.
  const intermediates = below.filter((one) => one.subjectKey !== one.issuerKey).length;
  return intermediates > pathLength ? fault('constraint', `too many intermediates below ${said(certificate)}`) : undefined;
}

/** RFC 5280 §6.1.3 b, c: not of intermediates that issued themselves anew. */
function faultOfNames({ extensions, subject }: Certificate, below: readonly Certificate[]): Fault | undefined {
  const { constraints } = extensions;
  if (!constraints) return undefined;
  const bound = below.filter((one, index) => index === 0 || one.subjectKey !== one.issuerKey);
  const offender = bound.find((one) => !keepsTo(constraints, one));
  return offender && fault('constraint', `${said(offender)} has a name that "${formatName(subject)}" may not certify`);
}

/** RFC 4945 §5.1.3.2, §5.1.3.12. */
function faultOfUse(peer: Certificate, usage: Demand['usage']): Fault | undefined {
  const { keyUsage, purposes } = peer.extensions;
  if (keyUsage && !keyUsage.has(KeyUsage.DIGITAL_SIGNATURE) && !keyUsage.has(KeyUsage.NON_REPUDIATION))
    return fault('wrong-usage', `the key of ${said(peer)} is not for signatures`);
  if (purposes && !purposes.some((purpose) => accepted[usage].includes(purpose)))
    return fault('wrong-usage', `${said(peer)} is not for a ${usage}`);
  return undefined;
}

const forBoth: readonly string[] = [Purpose.IPSEC_IKE, Purpose.IKE_INTERMEDIATE, Purpose.ANY];
const accepted: Readonly<Record<Demand['usage'], readonly string[]>> = {
  client: [Purpose.CLIENT_AUTH, ...forBoth],
  server: [Purpose.SERVER_AUTH, ...forBoth],
};
