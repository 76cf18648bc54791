/** Certificates for tests, right and wrong in any field. Encoded by a library that the product does not use, so that one mistake is not made twice. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  BasicOCSPResponse,
  CertID,
  CertStatus,
  id_pkix_ocsp_basic,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
} from '@peculiar/asn1-ocsp';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CertificateList,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  RevokedCertificate,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  TBSCertList,
  Time,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import type { KeyKind } from '../../sidecar/ike/crypto/signature.ts';
import { Hash, type SignatureScheme } from '../../sidecar/ike/crypto/signature.ts';
import { algorithmIdentifier } from '../../sidecar/ike/crypto/signature-algorithm.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';

export { KeyUsageFlags } from '@peculiar/asn1-x509';

/** Tests live in this year. */
export const YEAR_2030 = Date.UTC(2030, 0, 1);
const DAY_MS = 86_400_000;

export const purposes = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  ipsecIke: '1.3.6.1.5.5.7.3.17',
  ikeIntermediate: '1.3.6.1.5.5.8.2.2',
  any: '2.5.29.37.0',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;

/** What a certificate is to be; what is left out is as a good certificate authority would have it. */
export interface Wish {
  /** `CN=alice,O=Example`, the most general last. */
  readonly subject?: string;
  /** `dns:gw.example.com`, `email:alice@example.com`, `ip:192.0.2.1`. */
  readonly names?: readonly string[];
  readonly key?: KeyKind | KeyObject;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly authority?: boolean;
  readonly pathLength?: number;
  /** Undefined: none is written. */
  readonly keyUsage?: number | undefined;
  readonly purposes?: readonly string[];
  /** As `names`, but `ip:` with address and mask in hexadecimal. */
  readonly permitted?: readonly string[];
  readonly excluded?: readonly string[];
  readonly extra?: readonly Extension[];
  readonly scheme?: SignatureScheme;
  readonly serial?: Bytes;
  /** Of the issuer, when it is not what the issuer is called. */
  readonly issuer?: string;
  readonly version?: Version;
  readonly keyIds?: boolean;
}

export interface Issued {
  readonly der: Bytes;
  readonly privateKey: KeyObject;
  readonly pkcs8: Bytes;
  readonly spki: Bytes;
  readonly subject: string;
  readonly serial: Bytes;
}

export class Authority {
  readonly issued: Issued;

  constructor(issued: Issued) {
    this.issued = issued;
  }

  /** An anchor. */
  static root(wish: Wish = {}): Authority {
    const privateKey = keyOf(wish.key);
    const own = { ...authorityWish, subject: 'CN=Root,O=Example', ...wish, key: privateKey };
    return new Authority(issue(own, { privateKey, subject: own.issuer ?? own.subject }));
  }

  /** Below this one. */
  intermediate(wish: Wish = {}): Authority {
    return new Authority(this.issue({ ...authorityWish, subject: 'CN=Intermediate,O=Example', ...wish }));
  }

  issue(wish: Wish = {}): Issued {
    return issue(wish, this.issued);
  }

  /** A revocation list of these certificates. */
  list(revoked: readonly Issued[], wish: ListWish = {}): Bytes {
    return revocationList(revoked, wish, this.issued);
  }

  /** An OCSP response about this certificate. */
  ocsp(about: Issued, wish: OcspWish = {}): Bytes {
    return ocspResponse(about, wish, this.issued);
  }
}

export interface ListWish {
  readonly issuer?: string;
  readonly thisUpdate?: number;
  /** Undefined: none is written. */
  readonly nextUpdate?: number | undefined;
  readonly signer?: KeyObject;
  readonly scheme?: SignatureScheme;
  readonly extra?: readonly Extension[];
  readonly entryExtensions?: readonly Extension[];
}

function revocationList(revoked: readonly Issued[], wish: ListWish, issuer: Issued): Bytes {
  const signer = wish.signer ?? issuer.privateKey;
  const scheme = wish.scheme ?? schemeFor(signer);
  const algorithm = AsnConvert.parse(algorithmIdentifier(scheme), AlgorithmIdentifier);
  const nextUpdate = 'nextUpdate' in wish ? wish.nextUpdate : YEAR_2030 + DAY_MS;
  const entries = revoked.map(
    ({ serial }) =>
      new RevokedCertificate({
        userCertificate: buffer(serial),
        revocationDate: new Time(new Date(YEAR_2030 - DAY_MS)),
        ...(wish.entryExtensions && { crlEntryExtensions: [...wish.entryExtensions] }),
      }),
  );
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(buffer(keyId(issuer.spki))) });
  const tbs = new TBSCertList({
    version: Version.v2,
    signature: algorithm,
    issuer: nameOf(wish.issuer ?? issuer.subject),
    thisUpdate: new Time(new Date(wish.thisUpdate ?? YEAR_2030 - DAY_MS)),
    ...(nextUpdate !== undefined && { nextUpdate: new Time(new Date(nextUpdate)) }),
    ...(entries.length > 0 && { revokedCertificates: entries }),
    crlExtensions: [extension('2.5.29.35', authority), extension('2.5.29.20', Uint8Array.of(2, 1, 7)), ...(wish.extra ?? [])],
  });
  const signature = signed(scheme, bytes(AsnConvert.serialize(tbs)), signer);
  const list = new CertificateList({ tbsCertList: tbs, signatureAlgorithm: algorithm, signature: buffer(signature) });
  return bytes(AsnConvert.serialize(list));
}

export interface OcspWish {
  readonly status?: 'good' | 'revoked' | 'unknown';
  readonly hash?: 'sha1' | 'sha256';
  readonly thisUpdate?: number;
  readonly nextUpdate?: number | undefined;
  /** Whoever signs instead of the issuer, and whether it sends its certificate along. */
  readonly responder?: Issued;
  readonly sent?: boolean;
  /** Whose key the certificate that it is about is said to be signed with. */
  readonly issuerKey?: Bytes;
  readonly responseStatus?: OCSPResponseStatus;
  readonly extra?: readonly Extension[];
}

const hashIds = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' } as const;

function ocspResponse(about: Issued, wish: OcspWish, issuer: Issued): Bytes {
  const { status = 'good', hash = 'sha1', responder = issuer, sent = true } = wish;
  const scheme = schemeFor(responder.privateKey);
  const nextUpdate = 'nextUpdate' in wish ? wish.nextUpdate : YEAR_2030 + DAY_MS;
  const key = AsnConvert.parse(wish.issuerKey ?? issuer.spki, SubjectPublicKeyInfo).subjectPublicKey;
  const digest = (data: Bytes): OctetString => new OctetString(createHash(hash).update(data).digest());
  const single = new SingleResponse({
    certID: new CertID({
      hashAlgorithm: new AlgorithmIdentifier({ algorithm: hashIds[hash], parameters: null }),
      issuerNameHash: digest(nameBytes(issuer.subject)),
      issuerKeyHash: digest(bytes(key)),
      serialNumber: buffer(about.serial),
    }),
    certStatus: new CertStatus(
      status === 'good'
        ? { good: null }
        : status === 'unknown'
          ? { unknown: null }
          : { revoked: new RevokedInfo({ revocationTime: new Date(YEAR_2030 - DAY_MS) }) },
    ),
    thisUpdate: new Date(wish.thisUpdate ?? YEAR_2030 - DAY_MS),
    ...(nextUpdate !== undefined && { nextUpdate: new Date(nextUpdate) }),
    ...(wish.extra && { singleExtensions: [...wish.extra] }),
  });
  const data = new ResponseData({
    responderID: new ResponderID({ byName: nameOf(responder.subject) }),
    producedAt: new Date(YEAR_2030 - DAY_MS),
    responses: [single],
  });
  const basic = new BasicOCSPResponse({
    tbsResponseData: data,
    signatureAlgorithm: AsnConvert.parse(algorithmIdentifier(scheme), AlgorithmIdentifier),
    signature: buffer(signed(scheme, bytes(AsnConvert.serialize(data)), responder.privateKey)),
    ...(wish.responder && sent && { certs: [AsnConvert.parse(responder.der, Certificate)] }),
  });
  const response = new OCSPResponse({
    responseStatus: wish.responseStatus ?? OCSPResponseStatus.successful,
    responseBytes: new ResponseBytes({
      responseType: id_pkix_ocsp_basic,
      response: new OctetString(AsnConvert.serialize(basic)),
    }),
  });
  return bytes(AsnConvert.serialize(response));
}

const authorityWish: Wish = { authority: true, keyUsage: KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign };

let serials = 0;

function issue(wish: Wish, issuer: { privateKey: KeyObject; subject: string }): Issued {
  const privateKey = keyOf(wish.key);
  const spki = bytes(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
  const subject = wish.subject ?? 'CN=alice,O=Example';
  serials += 1;
  const serial = wish.serial ?? Uint8Array.of(1, serials >> 8, serials & 0xff);
  const scheme = wish.scheme ?? schemeFor(issuer.privateKey);
  const algorithm = AsnConvert.parse(algorithmIdentifier(scheme), AlgorithmIdentifier);
  const validity = new Validity();
  validity.notBefore = new Time(new Date(wish.notBefore ?? YEAR_2030 - DAY_MS));
  validity.notAfter = new Time(new Date(wish.notAfter ?? YEAR_2030 + 30 * DAY_MS));
  const tbs = new TBSCertificate({
    version: wish.version ?? Version.v3,
    serialNumber: buffer(serial),
    signature: algorithm,
    issuer: nameOf(wish.issuer ?? issuer.subject),
    validity,
    subject: nameOf(subject),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    ...(((wish.version ?? Version.v3) === Version.v3 || wish.extra) && {
      extensions: new Extensions(extensionsOf(wish, spki, issuer.privateKey)),
    }),
  });
  const signature = signed(scheme, bytes(AsnConvert.serialize(tbs)), issuer.privateKey);
  const certificate = new Certificate({ tbsCertificate: tbs, signatureAlgorithm: algorithm, signatureValue: buffer(signature) });
  const pkcs8 = bytes(privateKey.export({ format: 'der', type: 'pkcs8' }));
  return { der: bytes(AsnConvert.serialize(certificate)), privateKey, pkcs8, spki, subject, serial };
}

function extensionsOf(wish: Wish, spki: Bytes, issuerKey: KeyObject): Extension[] {
  const { authority = false, pathLength, names = [], permitted = [], excluded = [], keyIds = true } = wish;
  const usage = 'keyUsage' in wish ? wish.keyUsage : KeyUsageFlags.digitalSignature;
  const constraints = new NameConstraints({
    ...(permitted.length > 0 && { permittedSubtrees: subtrees(permitted) }),
    ...(excluded.length > 0 && { excludedSubtrees: subtrees(excluded) }),
  });
  const issuerSpki = bytes(createPublicKey(issuerKey).export({ format: 'der', type: 'spki' }));
  return [
    ...(authority || pathLength !== undefined
      ? [
          extension(
            '2.5.29.19',
            new BasicConstraints({ cA: authority, ...(pathLength !== undefined && { pathLenConstraint: pathLength }) }),
            true,
          ),
        ]
      : []),
    ...(usage === undefined ? [] : [extension('2.5.29.15', new KeyUsage(usage), true)]),
    ...(wish.purposes ? [extension('2.5.29.37', new ExtendedKeyUsage([...wish.purposes]))] : []),
    ...(names.length > 0 ? [extension('2.5.29.17', new SubjectAlternativeName(names.map(generalNameOf)))] : []),
    ...(permitted.length + excluded.length > 0 ? [extension('2.5.29.30', constraints, true)] : []),
    ...(keyIds ? [extension('2.5.29.14', new SubjectKeyIdentifier(buffer(keyId(spki))))] : []),
    ...(keyIds
      ? [extension('2.5.29.35', new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(buffer(keyId(issuerSpki))) }))]
      : []),
    ...(wish.extra ?? []),
  ];
}

export const extension = (id: string, value: unknown, critical = false): Extension =>
  new Extension({
    extnID: id,
    critical,
    extnValue: new OctetString(value instanceof Uint8Array ? buffer(value) : AsnConvert.serialize(value)),
  });

const subtrees = (bases: readonly string[]): GeneralSubtrees =>
  new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base: generalNameOf(base) })));

function generalNameOf(name: string): GeneralName {
  const [kind = '', ...rest] = name.split(':');
  const text = rest.join(':');
  if (kind === 'dns') return new GeneralName({ dNSName: text });
  if (kind === 'email') return new GeneralName({ rfc822Name: text });
  if (kind === 'uri') return new GeneralName({ uniformResourceIdentifier: text });
  if (kind === 'directory') return new GeneralName({ directoryName: nameOf(text) });
  if (kind === 'ip') return new GeneralName({ iPAddress: text });
  throw new RangeError(`no such kind of name: ${name}`);
}

const types: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  DC: '0.9.2342.19200300.100.1.25',
};

/** `CN=a,O=b`, the most general last, as RFC 4514 writes it. A value that begins with `=` is a PrintableString. */
export function nameOf(text: string): Name {
  const parts = text === '' ? [] : text.split(',').reverse();
  return new Name(
    parts.map((part) => {
      const [type = '', ...rest] = part.split('=');
      const value = rest.join('=');
      const written = value.startsWith('=') ? { printableString: value.slice(1) } : { utf8String: value };
      return new RelativeDistinguishedName([
        new AttributeTypeAndValue({ type: types[type] ?? type, value: new AttributeValue(written) }),
      ]);
    }),
  );
}

export const nameBytes = (text: string): Bytes => bytes(AsnConvert.serialize(nameOf(text)));

function keyOf(key: KeyKind | KeyObject = 'ec-p256'): KeyObject {
  if (typeof key !== 'string') return key;
  if (key === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  if (key === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (key === 'ed448') return generateKeyPairSync('ed448').privateKey;
  return generateKeyPairSync('ec', { namedCurve: `P-${key.slice(-3)}` }).privateKey;
}

function schemeFor({ asymmetricKeyType }: KeyObject): SignatureScheme {
  if (asymmetricKeyType === 'ed25519' || asymmetricKeyType === 'ed448') return { kind: asymmetricKeyType, hash: Hash.IDENTITY };
  return { kind: asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa', hash: Hash.SHA2_256 };
}

const digests: Readonly<Record<Hash, string | null>> = { 1: 'sha1', 2: 'sha256', 3: 'sha384', 4: 'sha512', 5: null };

export const signed = ({ hash }: SignatureScheme, data: Bytes, key: KeyObject): Bytes => bytes(sign(digests[hash], data, key));

export const keyId = (spki: Bytes): Bytes => bytes(createHash('sha1').update(spki).digest());

const bytes = (from: ArrayBuffer | Uint8Array): Bytes => new Uint8Array(from instanceof ArrayBuffer ? from : from.slice());
const buffer = (from: Uint8Array): ArrayBuffer => new Uint8Array(from).buffer;

export const pem = (label: string, der: Bytes): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
