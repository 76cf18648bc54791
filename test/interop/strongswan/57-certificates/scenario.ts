/** Certificates on both sides (RFC 7296 §2.15, RFC 7427, RFC 8420): the chains have an intermediate authority, which each side sends. */
import assert from 'node:assert/strict';
import { type Authority, type Credential, KEY_KINDS, type KeyKind } from '../../lab/authority.ts';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

/** How strongSwan calls our signature. */
const SIGNATURES: Readonly<Record<KeyKind, RegExp>> = {
  'rsa-2048': /RSA_EMSA_(PKCS1|PSS)/,
  'rsa-3072': /RSA_EMSA_(PKCS1|PSS)/,
  'ecdsa-p256': /ECDSA_WITH_SHA256_DER/,
  'ecdsa-p384': /ECDSA_WITH_SHA384_DER/,
  ed25519: /ED25519/,
};

export const scenario: Scenario = {
  title: 'certificates of RSA, ECDSA and Ed25519 on both sides, with an intermediate authority',
  async run(lab) {
    const made = await Promise.all(KEY_KINDS.map((kind) => make(lab, kind)));
    const peer = await lab.strongSwan('initiator', 'strongswan', Object.assign({}, ...made.map(filesOfPeer)));

    for (const [ordinal, { kind, root, between, gateway: own }] of made.entries()) {
      await lab.step(kind, async () => {
        const gateway = await lab.gateway({
          ordinal,
          certificate: { chain: own.certificate + between.certificate, key: own.key },
          authorities: { staff: { 'ca.crt': root.certificate } },
          settings: { slices: 8, authentication: [{ name: 'staff', method: 'certificate', authorities: ['staff'] }] },
        });
        await peer.initiate(kind);
        const [said = ''] = await peer
          .says(new RegExp(`authentication of '${GATEWAY_ID}' with .* successful`), ordinal + 1)
          .then((all) => all.slice(-1));
        assert.match(said, SIGNATURES[kind]);
        await peer.says(new RegExp(`received issuer cert ".*CN=between-${kind}"`));
        const session = await gateway.session();
        assert.equal(session.identity, `${kind}@example.com`);
        await lab.ping(session.inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', kind);
        await gateway.logged({ event: 'closed', why: 'deleted by peer' });
        await gateway.kill();
      });
    }
  },
};

interface Made {
  readonly kind: KeyKind;
  readonly root: Authority;
  readonly between: Authority;
  readonly gateway: Credential;
  readonly client: Credential;
}

async function make(lab: Lab, kind: KeyKind): Promise<Made> {
  const root = await lab.authority(`root-${kind}`, kind);
  const between = await root.intermediate(`between-${kind}`);
  const [gateway, client] = await Promise.all([
    between.issue({ name: `gateway-${kind}`, kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
    between.issue({ name: kind, kind, names: [`email:${kind}@example.com`], usage: 'client' }),
  ]);
  return { kind, root, between, gateway, client };
}

const filesOfPeer = ({ kind, root, between, client }: Made): Readonly<Record<string, string>> => ({
  [`x509/${kind}.pem`]: client.certificate,
  [`x509/between-${kind}.pem`]: between.certificate,
  [`private/${kind}.pem`]: client.key,
  [`x509ca/root-${kind}.pem`]: root.certificate,
});
