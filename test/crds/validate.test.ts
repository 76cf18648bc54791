/** Manifests as users write them: what is filled in, and what is said about each fault. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { load } from 'js-yaml';
import { definition, kinds } from '../../crds/v1alpha1/schema.ts';
import { formatTime, parseSpan, parseTime } from '../../crds/v1alpha1/time.ts';
import { type Validated, validate } from '../../crds/v1alpha1/validate.ts';

const gateway = (spec: object = {}, metadata: object = { name: 'office' }) => ({
  apiVersion: 'vpn.rekindle.dev/v1alpha1',
  kind: 'VpnGateway',
  metadata,
  spec: {
    identity: 'vpn.example.com',
    authentication: { psk: { secretRef: { name: 'users' } } },
    pools: [{ cidr: '10.8.0.0/24' }],
    ...spec,
  },
});

const ticketKey = (spec: object = {}, metadata: object = { name: 'office' }) => ({
  apiVersion: 'vpn.rekindle.dev/v1alpha1',
  kind: 'TicketKey',
  metadata,
  spec,
});

const said = (validated: Validated): readonly string[] =>
  validated.ok ? [] : validated.problems.map(({ file, path, message, remedy }) => `${file}: ${path}: ${message}; ${remedy}`);

const faults = (manifest: unknown): readonly string[] => said(validate('x.yaml', manifest));

describe('a manifest', () => {
  it('gets the defaults of the schema, also inside objects that are left out, and the default namespace', () => {
    const validated = validate('x.yaml', gateway());
    assert.ok(validated.ok && validated.value.kind === 'VpnGateway');
    assert.equal(validated.value.metadata.namespace, 'default');
    assert.equal(validated.value.spec.ike.rekey, '4h');
    assert.deepEqual(validated.value.spec.routes, ['0.0.0.0/0', '::/0']);
    assert.equal(validated.value.spec.replicas, undefined);
  });

  it('gets a default where it says null, and keeps what it says', () => {
    const validated = validate('x.yaml', ticketKey({ rotationInterval: null, ticketLifetime: '2h' }));
    assert.ok(validated.ok && validated.value.kind === 'TicketKey');
    assert.equal(validated.value.spec.rotationInterval, '24h');
    assert.equal(validated.value.spec.ticketLifetime, '2h');
  });

  it('shares no default with another manifest', () => {
    const [one, other] = [validate('x.yaml', gateway()), validate('x.yaml', gateway())];
    assert.ok(one.ok && other.ok && one.value.kind === 'VpnGateway' && other.value.kind === 'VpnGateway');
    assert.notEqual(one.value.spec.ike.encryption, other.value.spec.ike.encryption);
  });

  it('loses the status that a user wrote into it', () => {
    const validated = validate('x.yaml', { ...ticketKey(), status: { generation: 7 } });
    assert.ok(validated.ok);
    assert.ok(!('status' in validated.value));
  });

  it('has each example of the documentation accepted', () => {
    const root = join(import.meta.dirname, '..', '..', 'examples');
    const manifests = globSync('**/*.yaml', { cwd: root }).map(
      (file) => [file, load(readFileSync(join(root, file), 'utf8'))] as const,
    );
    const ours = manifests.filter(([, manifest]) => kinds.some((kind) => kind === (manifest as { kind: string }).kind));
    assert.ok(ours.length >= 2);
    for (const [file, manifest] of ours) assert.deepEqual(said(validate(file, manifest)), []);
  });

  const wrong: readonly (readonly [name: string, manifest: unknown, ...said: readonly string[]])[] = [
    ['is a list', [], 'x.yaml: : not a mapping; write apiVersion, kind, metadata and spec'],
    ['is of another kind', { kind: 'Pod' }, 'x.yaml: kind: not one of VpnGateway, TicketKey; write one of VpnGateway, TicketKey'],
    [
      'is of another version',
      { ...ticketKey(), apiVersion: 'v1' },
      'x.yaml: apiVersion: not vpn.rekindle.dev/v1alpha1; write apiVersion: vpn.rekindle.dev/v1alpha1',
    ],
    [
      'has no name',
      ticketKey({}, {}),
      'x.yaml: metadata.name: missing; write lower-case letters, digits and hyphens, beginning and ending with a letter or digit',
    ],
    [
      'has a name with capitals',
      ticketKey({}, { name: 'Office' }),
      'x.yaml: metadata.name: not a name: "Office"; write lower-case letters, digits and hyphens, beginning and ending with a letter or digit',
    ],
    [
      'has a name of 53 characters',
      ticketKey({}, { name: 'a'.repeat(53) }),
      'x.yaml: : the name is longer than 52 characters; shorten it, since names of other objects are made from it',
    ],
    [
      'has a label that is a number',
      ticketKey({}, { name: 'a', labels: { b: 1 } }),
      'x.yaml: metadata.labels.b: not a text; write it in quotes',
    ],
    ['has no spec', { ...ticketKey(), spec: undefined }, 'x.yaml: spec: missing; add this field'],
    [
      'has an unknown field',
      gateway({ dpd: { intervall: '5s' } }),
      'x.yaml: spec.dpd.intervall: unknown field; remove it; the fields here are interval',
    ],
    [
      'has an unknown field of a name that needs quotes',
      gateway({ dpd: { 'a.b': 1 } }),
      'x.yaml: spec.dpd["a.b"]: unknown field; remove it; the fields here are interval',
    ],
    [
      'has a pool without a length',
      gateway({ pools: [{ cidr: '10.8.0.0' }] }),
      'x.yaml: spec.pools[0].cidr: not an IPv4 or IPv6 prefix: "10.8.0.0"; write it as address/length, for instance 10.8.0.0/24',
    ],
    [
      'has a pool that begins in the middle',
      gateway({ pools: [{ cidr: '10.8.0.7/24' }] }),
      'x.yaml: spec.pools[0].cidr: bits are set behind the prefix: "10.8.0.7/24"; write its first address, for instance 10.8.0.0/24',
    ],
    ['has no pool', gateway({ pools: [] }), 'x.yaml: spec.pools: 0 items; list at least 1'],
    [
      'has the same pool twice',
      gateway({ pools: [{ cidr: '10.8.0.0/24' }, { cidr: '10.8.0.0/24' }] }),
      'x.yaml: spec.pools[1]: listed twice; remove one of them',
    ],
    [
      'has pools that overlap',
      gateway({ pools: [{ cidr: '10.0.0.0/8' }, { cidr: '10.8.0.0/24' }] }),
      'x.yaml: spec.pools: pools overlap; write prefixes that share no address',
    ],
    [
      'has a pool that is too small for its pods',
      gateway({ maxReplicas: 4, pools: [{ cidr: '10.8.0.0/29' }] }),
      'x.yaml: spec.pools: a pool has fewer than four addresses for each of maxReplicas pods; write a shorter prefix or a lower maxReplicas',
    ],
    [
      'wants more pods than there may be',
      gateway({ replicas: 3, maxReplicas: 2 }),
      'x.yaml: spec.replicas: replicas is above maxReplicas; lower it, or make a new VpnGateway with a higher maxReplicas',
    ],
    [
      'has a number in quotes',
      gateway({ replicas: '2' }),
      'x.yaml: spec.replicas: not a whole number: "2"; write digits without quotes',
    ],
    ['has a fraction', gateway({ replicas: 1.5 }), 'x.yaml: spec.replicas: not a whole number: 1.5; write digits without quotes'],
    ['has a number below the least', gateway({ replicas: -1 }), 'x.yaml: spec.replicas: below 0: -1; write at least 0'],
    [
      'has a word for a boolean',
      gateway({ paused: 'yes' }),
      'x.yaml: spec.paused: not true or false: "yes"; write true or false',
    ],
    [
      'has a word that is none of those allowed',
      gateway({ exposure: 'NodePort' }),
      'x.yaml: spec.exposure: not one of LoadBalancer, HostPort, ClusterIP: "NodePort"; write one of LoadBalancer, HostPort, ClusterIP',
    ],
    [
      'has an algorithm that is none',
      gateway({ ike: { encryption: ['3des'] } }),
      'x.yaml: spec.ike.encryption[0]: not one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256, aes128: "3des"; write one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256, aes128',
    ],
    [
      'has CBC without integrity',
      gateway({ esp: { encryption: ['aes256'], integrity: [] } }),
      'x.yaml: spec.esp.integrity: aes256 and aes128 in esp.encryption need an integrity algorithm; name one in esp.integrity or remove them',
    ],
    [
      'has no way to authenticate',
      gateway({ authentication: {} }),
      'x.yaml: spec.authentication: nobody could come in; add psk, eap, radius, or certificate with authorities',
    ],
    [
      'has a rule whose credential is not given',
      gateway({
        authentication: {
          psk: { secretRef: { name: 'users' } },
          rules: [
            { name: 'a', method: 'eap-mschapv2' },
            { name: 'b', method: 'certificate' },
            { name: 'c', method: 'eap-radius' },
          ],
        },
      }),
      "x.yaml: spec.authentication.rules: a rule has the method certificate or eap-tls, which needs the gateway's certificate and authorities; add certificate and authorities or remove the rule",
      'x.yaml: spec.authentication.rules: a rule has the method eap-mschapv2, but there are no users; add eap.secretRef or remove the rule',
      'x.yaml: spec.authentication.rules: a rule has the method eap-radius, but there is no RADIUS server; add radius.servers or remove the rule',
    ],
    [
      'has a rule for pre-shared keys and none of them',
      gateway({
        authentication: {
          certificate: { secretRef: { name: 'tls' } },
          authorities: [{ name: 'ca', secretRef: { name: 'ca' } }],
          rules: [{ name: 'a', method: 'psk' }],
        },
      }),
      'x.yaml: spec.authentication.rules: a rule has the method psk, but there are no pre-shared keys; add psk.secretRef or remove the rule',
    ],
    [
      'has EAP without a certificate of its own',
      gateway({
        authentication: {
          eap: { secretRef: { name: 'users' } },
          radius: { servers: [{ host: 'r', secretRef: { name: 'r' } }] },
          rules: [{ name: 'a', method: 'eap-radius' }],
        },
      }),
      'x.yaml: spec.authentication.eap: with eap the gateway proves itself by a certificate; add certificate.secretRef',
      'x.yaml: spec.authentication.radius: with radius the gateway proves itself by a certificate; add certificate.secretRef, or set eapOnly in each rule with eap-radius',
    ],
    [
      'has rules that name what is not there',
      gateway({
        authentication: {
          certificate: { secretRef: { name: 'tls' } },
          authorities: [{ name: 'ca', secretRef: { name: 'ca' } }],
          rules: [{ name: 'a', method: 'certificate', authorities: ['ac'] }],
        },
      }),
      'x.yaml: spec.authentication.rules: a rule names an authority that is not there; write names of authentication.authorities',
    ],
    [
      'has a rule with a pool of somebody else',
      gateway({
        authentication: {
          psk: { secretRef: { name: 'users' } },
          rules: [{ name: 'a', method: 'psk', pools: ['10.9.0.0/24'] }],
        },
      }),
      'x.yaml: spec.authentication.rules: a rule names a pool that the gateway does not have; write a cidr of spec.pools',
    ],
    [
      'has rules with what they have no use for',
      gateway({
        authentication: {
          psk: { secretRef: { name: 'users' } },
          certificate: { secretRef: { name: 'tls' } },
          authorities: [{ name: 'ca', secretRef: { name: 'ca' } }],
          rules: [
            { name: 'a', method: 'psk', authorities: ['ca'], eapOnly: true, rekey: '10s', reauthentication: '1m' },
            { name: 'b', method: 'psk', identities: ['*a*b*c*d*e*f*g*h*i*'] },
          ],
        },
      }),
      'x.yaml: spec.authentication.rules[0].authorities: authorities are for the methods certificate and eap-tls; remove them',
      'x.yaml: spec.authentication.rules[0].eapOnly: eapOnly is for methods of EAP; remove it',
      'x.yaml: spec.authentication.rules[0].rekey: the rekey time of a rule is too short; write 0s (never) or at least 1m',
      'x.yaml: spec.authentication.rules[0].reauthentication: the reauthentication time of a rule is too short; write at least 5m',
      'x.yaml: spec.authentication.rules[1].identities[0]: not of the right form: "*a*b*c*d*e*f*g*h*i*"; write it as the pattern ^[!-)+-~]*([*][!-)+-~]*){0,8}$ says',
    ],
    [
      'has an authority from nowhere',
      gateway({ authentication: { certificate: { secretRef: { name: 'tls' } }, authorities: [{ name: 'ca' }] } }),
      'x.yaml: spec.authentication.authorities[0]: neither or both of secretRef and configMapRef; write one of them',
    ],
    [
      'has a RADIUS server that may never answer',
      gateway({
        authentication: {
          certificate: { secretRef: { name: 'tls' } },
          radius: { servers: [{ host: 'r', secretRef: { name: 'r' } }], timeout: '2m', interim: '10s' },
        },
      }),
      'x.yaml: spec.authentication.radius.timeout: radius.timeout is out of bounds; write 1s to 1m',
      'x.yaml: spec.authentication.radius.interim: radius.interim is out of bounds; write 0s (what the server says) or 1m to 24h',
    ],
    [
      'sends clients to a person',
      gateway({ redirect: { to: 'alice@example.com' } }),
      'x.yaml: spec.redirect.to: not a domain name or address: "alice@example.com"; write for instance vpn2.example.com or 192.0.2.7',
    ],
    [
      'has an identity that is none',
      gateway({ identity: '1.2.3' }),
      'x.yaml: spec.identity: not an identity: "1.2.3"; write an address, a domain name, user@domain, or keyid and an even number of hexadecimal digits as in keyid:0a0b',
    ],
    [
      'has a name server that is a name',
      gateway({ dns: ['dns.example.com'] }),
      'x.yaml: spec.dns[0]: not an IPv4 or IPv6 address: "dns.example.com"; write it like 10.8.0.1 or 2001:db8::1',
    ],
    [
      'asks for load-balancer things without one',
      gateway({
        exposure: 'HostPort',
        service: { loadBalancerClass: 'a', sourceRanges: ['10.0.0.0/8'], externalTrafficPolicy: 'Local' },
      }),
      'x.yaml: spec.service.externalTrafficPolicy: externalTrafficPolicy works only with exposure LoadBalancer; remove it',
      'x.yaml: spec.service.loadBalancerClass: loadBalancerClass works only with exposure LoadBalancer; remove it',
      'x.yaml: spec.service.sourceRanges: sourceRanges works only with exposure LoadBalancer; remove it',
    ],
    [
      'has a quantity that is none',
      gateway({ pod: { resources: { limits: { cpu: true } } } }),
      'x.yaml: spec.pod.resources.limits.cpu: not a quantity: true; write for instance 500m, 2 or 256Mi',
    ],
    [
      'has a span that is none',
      ticketKey({ rotationInterval: '1 day' }),
      'x.yaml: spec.rotationInterval: not of the right form: "1 day"; write hours, minutes and seconds in whole numbers, for instance 30s, 15m or 1h30m',
    ],
    [
      'has spans out of their bounds',
      ticketKey({ rotationInterval: '30s', ticketLifetime: '30s', ackTimeout: '1s' }),
      'x.yaml: spec.rotationInterval: rotationInterval is too short; write at least 1m',
      'x.yaml: spec.ticketLifetime: ticketLifetime is out of bounds; write 1m to 168h',
      'x.yaml: spec.ackTimeout: ackTimeout is too short; write at least 10s',
    ],
    [
      'has tickets that outlive their key',
      ticketKey({ ticketLifetime: '2h', retiredKeyLifetime: '1h' }),
      'x.yaml: spec.ticketLifetime: tickets would outlive the key that opens them; write a ticketLifetime shorter than retiredKeyLifetime, or leave retiredKeyLifetime out',
    ],
    [
      'keeps retired keys for too long',
      ticketKey({ rotationInterval: '24h', retiredKeyLifetime: '337h' }),
      'x.yaml: spec.retiredKeyLifetime: retiredKeyLifetime is too long; write at most 336h',
    ],
    [
      'would keep too many keys',
      ticketKey({ rotationInterval: '1m', ticketLifetime: '1h' }),
      'x.yaml: spec.rotationInterval: the ring would hold more than 32 retired keys; write a rotationInterval of at least a thirty-second of the time a retired key stays',
    ],
    [
      'has a time that is none',
      ticketKey({ revocation: { before: '2030-01-02' } }),
      'x.yaml: spec.revocation.before: not a time: "2030-01-02"; write for instance 2026-01-31T12:00:00Z',
    ],
    [
      'has a key id that is none',
      ticketKey({ revocation: { keyIds: ['abc'] } }),
      'x.yaml: spec.revocation.keyIds[0]: not of the right form: "abc"; write it as the pattern ^[0-9a-f]{16}$ says',
    ],
    [
      'has times of IKE, ESP and dead-peer detection that are too short',
      gateway({
        esp: { rekey: '1s' },
        ike: { encryption: ['aes128'], integrity: [], rekey: '30s', reauthentication: '1m', halfOpen: '1s' },
        dpd: { interval: '1s' },
      }),
      'x.yaml: spec.ike.integrity: aes256 and aes128 in ike.encryption need an integrity algorithm; name one in ike.integrity or remove them',
      'x.yaml: spec.ike.rekey: ike.rekey is too short; write 0s (never) or at least 1m',
      'x.yaml: spec.esp.rekey: esp.rekey is too short; write 0s (never) or at least 1m',
      'x.yaml: spec.ike.reauthentication: ike.reauthentication is too short; write at least 5m',
      'x.yaml: spec.ike.halfOpen: ike.halfOpen is out of bounds; write 5s to 10m',
      'x.yaml: spec.dpd.interval: dpd.interval is too short; write at least 5s',
    ],
  ];
  for (const [name, manifest, ...expected] of wrong) {
    it(`is refused when it ${name}, with path and remedy`, () => assert.deepEqual(faults(manifest), expected));
  }

  it('has all its faults reported at once', () => {
    assert.equal(
      faults(gateway({ replicas: 'x', exposure: 'x', dns: ['x'], nonsense: 1, pools: [{ cidr: 'x' }, {}] })).length,
      6,
    );
  });

  it('cannot change what is fixed for good, and can change the rest', () => {
    const old = validate('x.yaml', gateway({ maxReplicas: 4 }));
    assert.ok(old.ok);
    assert.deepEqual(said(validate('x.yaml', gateway({ maxReplicas: 5 }), old.value)), [
      'x.yaml: spec.maxReplicas: maxReplicas cannot be changed, since it divides the address pools; put the old value back or make a new VpnGateway',
    ]);
    assert.deepEqual(said(validate('x.yaml', gateway({ maxReplicas: 4, replicas: 2 }), old.value)), []);
  });

  it('may name every identity that a gateway or a client can have', () => {
    for (const identity of ['vpn.example.com', 'gateway', '192.0.2.1', '2001:db8::1', 'alice@example.com', 'keyid:0a0b']) {
      assert.deepEqual(faults(gateway({ identity })), [], identity);
    }
  });
});

describe('a span of time', () => {
  it('is read as the sum of its parts', () => {
    assert.deepEqual(['90s', '1h30m', '24h', '0s', '1h1m1s'].map(parseSpan), [90_000, 5_400_000, 86_400_000, 0, 3_661_000]);
  });

  it('has the form that the schema asks for', () => {
    const pattern = definition('TicketKey').schema.properties?.['spec']?.properties?.['ackTimeout']?.pattern ?? '';
    for (const text of ['30s', '15m', '1h30m', '9999h']) assert.match(text, new RegExp(pattern));
    for (const text of ['1d', '1.5h', '30', '-1s', 's', '10m1h', '99999h']) assert.doesNotMatch(text, new RegExp(pattern));
  });
});

describe('a time', () => {
  it('is read from RFC 3339 and written in UTC to the second', () => {
    assert.equal(formatTime(parseTime('2030-01-02T12:00:00.750+02:00') ?? 0), '2030-01-02T10:00:00Z');
    for (const text of ['2030-01-02', '2030-13-02T00:00:00Z', 'now', '2030-01-02T12:00:00'])
      assert.equal(parseTime(text), undefined);
  });
});
