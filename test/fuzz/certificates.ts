/** Certificates, revocation lists and OCSP responses (RFC 5280, RFC 6960) with something wrong in them: read or refused, and never believed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readCertificate } from '../../sidecar/ike/pki/certificate.ts';
import { readOcspResponse } from '../../sidecar/ike/pki/ocsp-response.ts';
import { readRevocationList } from '../../sidecar/ike/pki/revocation-list.ts';
import { type Bytes, hex } from '../../sidecar/ike/wire/bytes.ts';
import { alice, certified, issuing, NOW, root } from '../harness/certified.ts';
import { mangled } from '../harness/laws/mangled.ts';
import { ALICE } from '../harness/policy.ts';
import { overheard } from './captures.ts';
import { orProtocolError } from './decoder.ts';

/** Of real peers, and ours. */
const certificates = (): Bytes[] => [
  ...overheard().flatMap(({ payloads }) => payloads.flatMap((one) => (one.kind === 'CERT' ? [one.data] : []))),
  ...[alice.der, issuing.issued.der, root.issued.der],
];

export const reading = () => {
  const list = issuing.list([alice]);
  const ocsp = issuing.ocsp(alice);
  return fc.property(mangled([...certificates(), list, ocsp]), ({ bytes }) => {
    for (const read of [readCertificate, readRevocationList, readOcspResponse]) orProtocolError(() => read(bytes));
  });
};

/** RFC 5280 §6.1: what is signed is what counts, so nothing that was changed is trusted; and a list that was changed revokes and clears nobody. */
export const judging = () => {
  const { trust } = certified().credentials;
  const honest = [alice.der, issuing.issued.der];
  const stapled = { ocsp: issuing.ocsp(alice), list: issuing.list([alice]) };
  const demand = { now: NOW, identity: ALICE, usage: 'client', authorities: [] } as const;
  return fc.property(
    mangled([alice.der]),
    mangled([issuing.issued.der]),
    mangled([stapled.ocsp]),
    mangled([stapled.list]),
    fc.nat(3),
    (own, between, ocsp, list, which) => {
      const chain = [which === 0 ? own.bytes : alice.der, which === 1 ? between.bytes : issuing.issued.der];
      const presented = {
        certificates: chain,
        ocsp: which === 2 ? [ocsp.bytes] : [],
        lists: which === 3 ? [list.bytes] : [],
      };
      const verdict = trust.verify(presented, demand);
      const same = chain.every((der, at) => hex(der) === hex(honest[at] ?? new Uint8Array()));
      if (!same) assert.equal(verdict.trusted, false, 'a changed certificate is trusted');
      else if (which !== 3 || hex(list.bytes) !== hex(stapled.list)) assert.equal(verdict.trusted, true, JSON.stringify(verdict));
    },
  );
};
