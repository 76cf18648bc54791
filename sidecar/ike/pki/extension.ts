/** What the extensions of a certificate say (RFC 5280 §4.2), those that bear on whom to trust. */
import { ProtocolError } from '../error.ts';
import { type Bytes, hex, unhex } from '../wire/bytes.ts';
import { constructed, DerReader, type Element, implicit, soleElement, Tag } from '../wire/der.ts';
import { type GeneralName, generalName } from './general-name.ts';
import { dotted, ExtensionId } from './object-identifier.ts';

export interface Extensions {
  readonly authority: boolean;
  /** How many intermediates may follow (pathLenConstraint). */
  readonly pathLength: number;
  /** Undefined: not restricted. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  /** By object identifier in hex; undefined: not restricted. */
  readonly purposes: readonly string[] | undefined;
  readonly names: readonly GeneralName[];
  readonly subjectKeyId: Bytes | undefined;
  readonly authorityKeyId: Bytes | undefined;
  readonly constraints: NameConstraints | undefined;
  /** A critical one that we do not know. */
  readonly unknown: string | undefined;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** By bit (RFC 5280 §4.2.1.3). */
export const KeyUsage = { DIGITAL_SIGNATURE: 0, NON_REPUDIATION: 1, KEY_CERT_SIGN: 5, CRL_SIGN: 6 } as const;
export type KeyUsage = (typeof KeyUsage)[keyof typeof KeyUsage];

export const NO_EXTENSIONS: Extensions = {
  authority: false,
  pathLength: Number.POSITIVE_INFINITY,
  keyUsage: undefined,
  purposes: undefined,
  names: [],
  subjectKeyId: undefined,
  authorityKeyId: undefined,
  constraints: undefined,
  unknown: undefined,
};

/** More alternative names, or subtrees, than this has nobody. */
const MOST_NAMES = 128;

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Bytes;
}

/** `Extensions ::= SEQUENCE OF Extension`. @throws ProtocolError (malformed). */
export function extensionList(der: Bytes): readonly Extension[] {
  const found = soleElement(der, Tag.SEQUENCE).elements(Tag.SEQUENCE).map(extension);
  // RFC 5280 §4.2: none occurs twice.
  if (new Set(found.map(({ id }) => id)).size !== found.length) throw ProtocolError.malformed('an extension occurs twice');
  return found;
}

/** @throws ProtocolError (malformed). */
export function readExtensions(der: Bytes): Extensions {
  const known = { ...NO_EXTENSIONS };
  for (const { id, critical, value } of extensionList(der)) {
    const read = readers[id];
    if (read) Object.assign(known, read(value));
    // RFC 5280 §4.2: a critical extension that is not understood refuses the certificate.
    else if (critical) Object.assign(known, { unknown: dotted(unhex(id)) });
  }
  return known;
}

function extension({ body }: Element): Extension {
  const reader = new DerReader(body);
  const id = hex(reader.element(Tag.OBJECT_IDENTIFIER).body);
  const critical = reader.optional(Tag.BOOLEAN);
  const value = reader.element(Tag.OCTET_STRING).body;
  reader.end();
  return { id, critical: critical !== undefined && critical.body[0] !== 0, value };
}

const readers: Readonly<Record<string, (value: Bytes) => Partial<Extensions>>> = {
  [ExtensionId.BASIC_CONSTRAINTS]: basicConstraints,
  [ExtensionId.KEY_USAGE]: (value) => ({ keyUsage: keyUsage(value) }),
  [ExtensionId.EXTENDED_KEY_USAGE]: (value) => ({
    purposes: soleElement(value, Tag.SEQUENCE)
      .elements(Tag.OBJECT_IDENTIFIER)
      .map(({ body }) => hex(body)),
  }),
  [ExtensionId.SUBJECT_ALT_NAME]: (value) => ({
    names: soleElement(value, Tag.SEQUENCE).elements(undefined, MOST_NAMES).map(generalName),
  }),
  [ExtensionId.SUBJECT_KEY_IDENTIFIER]: (value) => ({ subjectKeyId: new DerReader(value).element(Tag.OCTET_STRING).body }),
  [ExtensionId.AUTHORITY_KEY_IDENTIFIER]: (value) => ({
    authorityKeyId: soleElement(value, Tag.SEQUENCE).optional(implicit(0))?.body,
  }),
  [ExtensionId.NAME_CONSTRAINTS]: (value) => ({ constraints: nameConstraints(value) }),
  // Any policy will do (RFC 5280 §6.1.1 d), so that none is looked at.
  [ExtensionId.CERTIFICATE_POLICIES]: () => ({}),
};

function basicConstraints(value: Bytes): Partial<Extensions> {
  const reader = soleElement(value, Tag.SEQUENCE);
  const authority = reader.optional(Tag.BOOLEAN);
  const pathLength = reader.optional(Tag.INTEGER);
  reader.end();
  return {
    authority: authority !== undefined && authority.body[0] !== 0,
    ...(pathLength && { pathLength: smallNumber(pathLength) }),
  };
}

/** 0 to 127; more is as good as no limit. */
function smallNumber({ body }: Element): number {
  const [first = 0x80] = body;
  if (first >= 0x80) throw ProtocolError.malformed('a negative number');
  return body.length === 1 ? first : Number.POSITIVE_INFINITY;
}

function keyUsage(value: Bytes): ReadonlySet<KeyUsage> {
  const bits = new DerReader(value).element(Tag.BIT_STRING).body;
  return new Set(Object.values(KeyUsage).filter((bit) => ((bits[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0));
}

function nameConstraints(value: Bytes): NameConstraints {
  const reader = soleElement(value, Tag.SEQUENCE);
  const [permitted, excluded] = [0, 1].map((number) => subtrees(reader.optional(constructed(number))));
  reader.end();
  return { permitted: permitted ?? [], excluded: excluded ?? [] };
}

/** RFC 5280 §4.2.1.10: minimum is 0 and maximum absent; a subtree that says otherwise counts as one that we do not know. */
function subtrees(list: Element | undefined): readonly GeneralName[] {
  if (!list) return [];
  return new DerReader(list.body).elements(Tag.SEQUENCE, MOST_NAMES).map(({ body }) => {
    const reader = new DerReader(body);
    const base = generalName(reader.element());
    return reader.left === 0 ? base : { kind: 'other', what: 'a subtree with a minimum or maximum' };
  });
}
