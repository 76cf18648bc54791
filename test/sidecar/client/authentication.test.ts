/** Each way to authenticate, from the client's point of view, against a real core on a simulated network; and what else a client can demand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientOptions } from '../../../sidecar/client/options.ts';
import { ntHash } from '../../../sidecar/contract/nt-hash.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { EapServer } from '../../../sidecar/eap/server.ts';
import { TRUSTS_NOBODY } from '../../../sidecar/ike/pki/trust.ts';
import { parseTrust } from '../../../sidecar/ike/pki/trust-files.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { type Issued, purposes } from '../../harness/certificate-authority.ts';
import { crypto } from '../../harness/peer.ts';
import { CERTIFICATE_RULE, config, fqdn, policy } from '../../harness/policy.ts';
import { household } from './credential-files.ts';
import { Network, type Pod, Subject } from './network.ts';

const NOW = new Network().now();
const { valid, root, issuing, alice, gateway } = household(NOW);
const VPN = fqdn('vpn.example.com');
const TRUST = { anchors: [root.issued.der], lists: [] };
const chainOf = (one: Issued) => [one.der, issuing.issued.der];
const keyOf = (one: Issued) => crypto.signatures.privateKey(one.pkcs8) ?? assert.fail('not a key');
const tls = (one: Issued) => ({ chain: chainOf(one), key: new Secret(one.pkcs8) });
const PPK = utf8('a key of thirty-two octets, or so');
const BY_CERTIFICATE: Partial<ClientOptions> = {
  authentication: { method: 'certificate', certificate: tls(alice) },
  ...{ trust: TRUST, remoteIdentity: VPN },
};
const byPassword = (password: string): Partial<ClientOptions> => ({
  authentication: { method: 'eap-mschapv2', user: 'alice', ntHash: new Secret(ntHash(password)) },
  ...{ trust: TRUST, remoteIdentity: VPN },
});

function inForce(own: Issued, part: Parameters<typeof config>[0] = {}) {
  const read = parseTrust([{ file: 'ca.crt', content: root.issued.der }], { crypto, revocation: 'ifKnown', now: NOW as Instant });
  const { trust } = read.ok ? read.value : assert.fail();
  const eap = { ...CERTIFICATE_RULE, name: 'password', method: 'eap-mschapv2' } as const;
  return policy({
    config: config({
      ...{ authentication: [CERTIFICATE_RULE, eap], domains: ['corp.example.com'], ...part },
      peers: { host: 'pod-{ordinal}', replicas: 2 },
    }),
    credentials: {
      ...{ certificate: { chain: chainOf(own), key: keyOf(own) }, trust },
      ...{ ppk: (id) => (Buffer.from(id).toString() === 'office' ? PPK : undefined), hasPpks: true },
    },
  });
}

function eapServer(network: Network): EapServer {
  const users = { ntHash: (name: string) => (name === 'alice' ? new Secret(ntHash('open sesame')) : undefined) };
  return new EapServer({
    ...{ random: network.ports(9).random, now: network.now, radius: undefined },
    failed: (error) => {
      throw error;
    },
    credentials: () => ({ name: 'gateway', users, trust: TRUSTS_NOBODY, certificate: undefined, authorities: () => [] }),
  });
}

async function meet(part: Partial<ClientOptions>, own = gateway, policyPart: Parameters<typeof config>[0] = {}) {
  const network = new Network();
  const pod: Pod = network.pod(0, eapServer(network));
  pod.configure(inForce(own, policyPart));
  const subject = new Subject(network, { deadPeerMs: 2_000, ...part });
  void subject.client.connect();
  await network.clock.advance(200);
  return { network, pod, subject };
}

describe('a client with a certificate', () => {
  it('is believed, and tells that the gateway proved itself by its own', async () => {
    const { subject } = await meet(BY_CERTIFICATE);
    const { gatewayProof, remoteId, dns, domains, reauthenticateInMs, postQuantum } = subject.last('established');
    assert.deepEqual([gatewayProof, remoteId, postQuantum], ['certificate', 'vpn.example.com', false]);
    assert.deepEqual([dns, domains], [['10.8.0.1'], ['corp.example.com']]);
    assert.ok(reauthenticateInMs !== undefined && reauthenticateInMs <= 86_400_000);
  });

  it('comes back by its ticket', async () => {
    const { network, pod, subject } = await meet(BY_CERTIFICATE);
    network.pod(1).configure(inForce(gateway));
    pod.kill();
    await network.clock.advance(3_000);
    assert.deepEqual([subject.last('established').kind, subject.last('established').gatewayProof], ['resumed', 'ticket']);
  });

  for (const [what, own, part, reason, remedy] of [
    [
      'of another name than the one dialled, which it names',
      issuing.issue({ ...valid, names: ['dns:other.example', 'ip:192.0.2.7'], purposes: [purposes.serverAuth] }),
      {},
      /^the gateway's certificate is for other names \(other\.example, 192\.0\.2\.7\), not vpn\.example\.com$/,
      /--remote-id/,
    ],
    [
      'that calls itself otherwise',
      gateway,
      { remoteIdentity: fqdn('b.example') },
      /^the gateway calls itself vpn\.example\.com, not b\.example$/,
      /--remote-id/,
    ],
    [
      'of an authority that we do not know',
      gateway,
      { trust: { anchors: [issuing.issue(valid).der], lists: [] } },
      /unknown-authority$/,
      /--ca/,
    ],
    [
      'of which nothing says that it is not revoked, when that is required',
      gateway,
      { trust: { ...TRUST, revocation: 'required' } },
      /revocation-unknown$/,
      /--revocation/,
    ],
  ] as const) {
    it(`refuses a gateway ${what}`, async () => {
      const { subject, pod } = await meet({ ...BY_CERTIFICATE, ...part }, own);
      const refused = subject.last('refused');
      assert.equal(refused.by, 'us');
      assert.match(refused.reason, reason);
      assert.match(refused.remedy ?? '', remedy);
      assert.deepEqual(subject.named('established'), []);
      assert.equal(pod.sessions().length, 0);
    });
  }
});

describe('a client with a password', () => {
  it('is believed, after the gateway has shown its certificate', async () => {
    const { subject } = await meet(byPassword('open sesame'));
    assert.equal(subject.last('established').gatewayProof, 'certificate');
  });

  it('says nothing of its password to a gateway that nobody vouches for', async () => {
    const { subject, network } = await meet({
      ...byPassword('open sesame'),
      trust: { anchors: [issuing.issue(valid).der], lists: [] },
    });
    assert.match(subject.last('refused').reason, /unknown-authority$/);
    assert.equal(network.sent.filter(({ kind, at }) => kind === 'ike' && at < NOW + 200).length, 3);
  });

  it('that is wrong is told which flags to compare', async () => {
    const { subject } = await meet(byPassword('wrong'));
    assert.match(subject.last('refused').remedy ?? '', /--eap-user/);
    assert.deepEqual(subject.named('established'), []);
  });
});

describe('a client', () => {
  it('has a post-quantum pre-shared key in common with the gateway', async () => {
    const ppk = { id: 'office', secret: new Secret(PPK), required: true };
    const { subject } = await meet({ ...BY_CERTIFICATE, ppk, postQuantum: 'required' });
    assert.equal(subject.last('established').postQuantum, true);
  });

  it('that demands keys which quantum computers do not break has no session without', async () => {
    const { subject } = await meet({ ...BY_CERTIFICATE, postQuantum: 'required' });
    assert.deepEqual(subject.named('established'), []);
    assert.match(subject.last('refused').remedy ?? '', /--post-quantum/);
  });

  it('may authenticate first and ask for its child after that (RFC 6023)', async () => {
    const { subject, pod } = await meet({ ...BY_CERTIFICATE, childless: true });
    assert.equal(pod.core.sessions().find(({ phase }) => phase === 'established')?.children.length, 1);
    assert.deepEqual(subject.named('closed'), []);
  });

  it('is deleted by itself when the child that it asks for after that is refused', async () => {
    const chacha = { encryption: [{ id: 28, keyBits: 0 }], integrity: [], prf: [], keyExchange: [0], additionalKeyExchange: [] };
    const { subject, pod } = await meet({ ...BY_CERTIFICATE, childless: true, esp: chacha });
    assert.equal(subject.last('closed').why, 'no child SA');
    assert.equal(pod.sessions().length, 0);
  });
});
