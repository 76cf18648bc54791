/** Distinguished names: compared by RFC 5280 §7.1, shown by RFC 4514. */
import { type Bytes, hex } from '../wire/bytes.ts';
import { DerReader, type Element, soleElement, Tag } from '../wire/der.ts';
import { dotted } from './object-identifier.ts';

interface Attribute {
  readonly type: Bytes;
  readonly value: Element;
}

/**
 * Two names are the same when this is: upper and lower case, runs of white space and the kind of string do not count.
 * @throws ProtocolError (malformed).
 */
export const nameKey = (name: Bytes): string => JSON.stringify(relativeNameKeys(name));

/** Of each relative name, from the root on: a name is within another when it begins with the same ones (RFC 5280 §7.1). */
export const relativeNameKeys = (name: Bytes): readonly string[] =>
  relativeNames(name).map((attributes) => JSON.stringify(attributes.map(attributeKey).sort()));

/** The last first, for logs: no control characters, at most some 300 characters, and total on names that nameKey takes. */
export function formatName(name: Bytes): string {
  const shown = relativeNames(name)
    .map((attributes) => attributes.map(formatAttribute).join('+'))
    .reverse()
    .join(',');
  // A cut may go through the middle of a character.
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, '')}…` : shown;
}

const LONGEST = 300;

function relativeNames(name: Bytes): readonly (readonly Attribute[])[] {
  return soleElement(name, Tag.SEQUENCE)
    .elements(Tag.SET)
    .map(({ body }) => new DerReader(body).elements(Tag.SEQUENCE).map((attribute) => readAttribute(attribute)));
}

function readAttribute({ body }: Element): Attribute {
  const reader = new DerReader(body);
  const attribute = { type: reader.element(Tag.OBJECT_IDENTIFIER).body, value: reader.element() };
  reader.end();
  return attribute;
}

function attributeKey({ type, value }: Attribute): string {
  const text = directoryString(value);
  return `${hex(type)}=${text === undefined ? hex(value.whole) : `'${prepared(text)}`}`;
}

/** RFC 5280 §7.1, RFC 4518 in what matters. */
const prepared = (text: string): string => text.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' ');

/** Undefined for what is not a text, or not a well-formed one. */
function directoryString({ tag, body }: Element): string | undefined {
  const decoder = decoders[tag];
  if (decoder === undefined || body.length > 4096) return undefined;
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

const decoder = (encoding: string): TextDecoder => new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
const [unicode, latin] = [decoder('utf-8'), decoder('latin1')];

/** UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString, BMPString. */
const decoders: Readonly<Record<number, TextDecoder>> = {
  12: unicode,
  18: latin,
  19: latin,
  20: latin,
  22: latin,
  26: latin,
  30: decoder('utf-16be'),
};

function formatAttribute({ type, value }: Attribute): string {
  const short = shortNames[hex(type)];
  const text = directoryString(value);
  // RFC 4514 §2.4: a type without a short name goes with its value in hexadecimal.
  return short === undefined || text === undefined ? `${dotted(type)}=#${hex(value.whole)}` : `${short}=${escaped(text)}`;
}

/** RFC 4514 §3, and emailAddress and serialNumber, which many names have. */
const shortNames: Readonly<Record<string, string>> = {
  '550403': 'CN',
  '550405': 'serialNumber',
  '550406': 'C',
  '550407': 'L',
  '550408': 'ST',
  '550409': 'STREET',
  '55040a': 'O',
  '55040b': 'OU',
  '0992268993f22c640101': 'UID',
  '0992268993f22c640119': 'DC',
  '2a864886f70d010901': 'emailAddress',
};

const encoder = new TextEncoder();

/** RFC 4514 §2.4; what cannot be seen or turns the direction of text is written in hexadecimal too. */
function escaped(text: string): string {
  return text
    .replaceAll(/["+,;<=>\\]/g, '\\$&')
    .replaceAll(/^[ #]| $/g, '\\$&')
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => hex(encoder.encode(character)).replaceAll(/../g, '\\$&'));
}
