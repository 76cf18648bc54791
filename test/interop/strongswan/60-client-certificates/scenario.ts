/** Our client with certificates on both sides (RFC 7427): chains with an intermediate authority, which go in fragments; rekeys; whom it refuses. */
import assert from 'node:assert/strict';
import type { Authority, Credential, KeyKind } from '../../lab/authority.ts';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';
const KINDS: Readonly<Record<'rsa' | 'ecdsa', KeyKind>> = { rsa: 'rsa-3072', ecdsa: 'ecdsa-p256' };

export const scenario: Scenario = {
  title: 'our client with certificates of RSA and ECDSA and an intermediate authority; rekeys; gateways that it refuses',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const rsa = await make(lab, 'rsa');
    const ecdsa = await make(lab, 'ecdsa');
    const peer = await lab.strongSwan('responder', 'strongswan', { ...filesOfPeer(rsa), ...filesOfPeer(ecdsa) });
    const pings = ['--ping', BEHIND, '--interval', '50ms'];

    await lab.step('RSA: connected, in fragments; pings pass', async () => {
      const client = lab.clientAs(flagsOf(lab, rsa), '--remote-id', GATEWAY_ID, ...pings, '--count', '3');
      const [established] = await client.tells('established');
      assert.deepEqual([established?.gatewayProof, established?.remoteId], ['certificate', GATEWAY_ID]);
      assert.deepEqual(established?.dns, ['10.20.0.53']);
      assert.equal(await client.ended(), 0);
      await peer.says(/authentication of 'rsa@example.com' with RSA_EMSA_\S+ successful/);
      await peer.says(/received fragment #\d of \d/);
    });
    await lab.step('ECDSA: both rekeys', async () => {
      const client = lab.clientAs(flagsOf(lab, ecdsa), '--remote-id', GATEWAY_ID, ...pings);
      const [established] = await client.tells('established');
      assert.equal(established?.gatewayProof, 'certificate');
      await peer.says(/authentication of 'ecdsa@example.com' with ECDSA_WITH_SHA256_DER successful/);
      await peer.must('--rekey', '--child', 'ecdsa');
      await client.tells('rekeyed', { accept: ({ what }) => what === 'child' });
      await peer.must('--rekey', '--ike', 'ecdsa');
      await client.tells('rekeyed', { accept: ({ what }) => what === 'ike' });
      await client.tells('ping', { times: client.told('ping').length + 5 });
      assert.deepEqual(client.told('ping-lost'), []);
      await client.stop();
    });
    await lab.step('revocation lists, required: there is one of each authority', async () => {
      const lists = (await Promise.all([ecdsa.root.list(), ecdsa.between.list()])).join('');
      const crl = lab.clientFile('lists.pem', lists);
      const client = lab.clientAs(
        flagsOf(lab, ecdsa),
        '--remote-id',
        GATEWAY_ID,
        '--ca',
        crl,
        '--revocation',
        'required',
        ...pings,
        '--count',
        '1',
      );
      assert.equal(await client.ended(), 0);
    });
    await lab.step('required, without lists: refused, with what to do', async () => {
      const client = lab.clientAs(flagsOf(lab, ecdsa), '--remote-id', GATEWAY_ID, '--revocation', 'required', '--once');
      const [refused] = await client.tells('refused');
      assert.match(`${refused?.reason}; ${refused?.remedy}`, /revocation-unknown; .*--ca/);
      assert.equal(await client.ended(), 1);
    });
    await lab.step('an authority that did not vouch for it: refused, with what to do', async () => {
      const ca = lab.clientFile('other.pem', rsa.root.certificate);
      const client = lab.clientAs(
        ['--cert', fileOf(lab, ecdsa, 'crt'), '--key', fileOf(lab, ecdsa, 'key'), '--ca', ca],
        '--remote-id',
        GATEWAY_ID,
        '--once',
      );
      const [refused] = await client.tells('refused');
      assert.match(`${refused?.reason}; ${refused?.remedy}`, /unknown-authority; .*--ca/);
      assert.equal(await client.ended(), 1);
    });
    await lab.step('another name than the one dialled: refused, with what to do', async () => {
      const client = lab.clientAs(flagsOf(lab, ecdsa), '--once');
      const [refused] = await client.tells('refused');
      assert.match(refused?.remedy ?? '', /--remote-id/);
      assert.equal(await client.ended(), 1);
    });
    await lab.step('strongSwan has no session left', async () => {
      await lab.eventually(async () => assert.equal((await peer.must('--list-sas')).trim(), ''));
    });
  },
};

interface Made {
  readonly name: 'rsa' | 'ecdsa';
  readonly root: Authority;
  readonly between: Authority;
  readonly gateway: Credential;
  readonly client: Credential;
}

async function make(lab: Lab, name: Made['name']): Promise<Made> {
  const kind = KINDS[name];
  const root = await lab.authority(`root-${name}`, kind);
  const between = await root.intermediate(`between-${name}`);
  const gateway = await between.issue({ name: `gateway-${name}`, kind, names: [`DNS:${GATEWAY_ID}`], usage: 'server' });
  const client = await between.issue({ name, kind, names: [`email:${name}@example.com`], usage: 'client' });
  return { name, root, between, gateway, client };
}

const filesOfPeer = ({ name, root, between, gateway }: Made): Readonly<Record<string, string>> => ({
  [`x509/gateway-${name}.pem`]: gateway.certificate,
  [`x509/between-${name}.pem`]: between.certificate,
  [`private/gateway-${name}.pem`]: gateway.key,
  [`x509ca/root-${name}.pem`]: root.certificate,
});

function fileOf(lab: Lab, { name, between, client }: Made, what: 'crt' | 'key'): string {
  return lab.clientFile(`${name}.${what}`, what === 'key' ? client.key : client.certificate + between.certificate);
}

const flagsOf = (lab: Lab, made: Made): readonly string[] => [
  ...['--cert', fileOf(lab, made, 'crt'), '--key', fileOf(lab, made, 'key')],
  ...['--ca', lab.clientFile(`root-${made.name}.pem`, made.root.certificate)],
];
