/** What is measured, of whom. */
import type { Manner } from '../initiator.ts';
import type { Proof, ResponderName } from './responder.ts';

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly proof: Proof;
  readonly child: boolean;
  /** Of tickets that full handshakes brought, which are not counted. */
  readonly resumes: boolean;
  readonly responders: readonly ResponderName[];
}

const ALL: readonly ResponderName[] = ['rekindle', 'strongswan', 'libreswan'];
const withChild = { child: true, resumes: false, responders: ALL } as const;
/** libreswan knows no IKE SA without a child. */
const alone = { child: false, resumes: false, responders: ['rekindle', 'strongswan'] } as const;

export const CASES: readonly Case[] = [
  { ...withChild, name: 'psk', title: 'full, PSK', proof: 'psk' },
  { ...withChild, name: 'certificate', title: 'full, mutual ECDSA P-256', proof: 'certificate' },
  { ...withChild, name: 'resumption', title: 'resumption', proof: 'psk', resumes: true, responders: ['rekindle', 'libreswan'] },
  { ...alone, name: 'psk-childless', title: 'full, PSK, childless', proof: 'psk' },
  { ...alone, name: 'certificate-childless', title: 'full, mutual ECDSA P-256, childless', proof: 'certificate' },
];

/** `only`: names of cases, of responders, or of both; what Rekindle is compared with needs Rekindle. @throws Error for other names. */
export function planOf(only: readonly string[]): readonly Case[] {
  const unknown = only.find((name) => !isResponder(name) && !CASES.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new Error(`--only: "${unknown}" is none of ${[...CASES.map(({ name }) => name), ...ALL].join(', ')}`);
  const responders = only.filter(isResponder);
  const cases = CASES.filter(({ name }) => only.includes(name));
  return (cases.length > 0 ? cases : CASES).flatMap((one) => {
    const kept = one.responders.filter((name) => responders.length === 0 || name === 'rekindle' || responders.includes(name));
    const alone = kept.length === 1 && responders.length > 0 && !responders.includes('rekindle');
    return alone ? [] : [{ ...one, responders: kept }];
  });
}

const isResponder = (name: string): name is ResponderName => ALL.some((one) => one === name);

export const mannerOf = ({ child, resumes }: Case, responder: ResponderName, proof: Manner['proof']): Manner => ({
  proof,
  child,
  ticket: resumes,
  resumption: responder === 'libreswan' ? 'libreswan' : 'rfc',
});
