/** The flags of `connect`: name, what stands behind it, how that is read, what it is for. */
import { parseAddress } from '../contract/address.ts';
import { parseDuration } from '../contract/duration.ts';
import { IDENTITY_REMEDY, readIdentity } from '../contract/identity.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { GatewayAddress } from './options.ts';
import { ESP_KEYWORDS, IKE_KEYWORDS, parseEspProposal, parseIkeProposal } from './proposal-words.ts';

export interface Flag<T> {
  readonly name: string;
  /** What stands behind it, with its article; undefined for a flag that stands alone. */
  readonly takes: string | undefined;
  /** For --help: the value in capitals. */
  readonly shows: string;
  readonly about: string;
  readonly remedy: string;
  /** May be given several times. */
  readonly repeats?: true;
  /** Undefined: the text is not what the flag takes. */
  readonly parse: (text: string) => T | undefined;
}

const flag = <T>(
  name: string,
  shows: string,
  takes: string,
  about: string,
  remedy: string,
  parse: (text: string) => T | undefined,
): Flag<T> => ({
  ...{ name, shows, takes, about, remedy, parse },
});

const alone = (name: string, about: string): Flag<true> => ({
  name,
  shows: '',
  takes: undefined,
  about,
  remedy: 'write it alone',
  parse: () => true,
});

const file = (text: string): string | undefined => (text === '' ? undefined : text);
const address = (text: string): Bytes | undefined => parseAddress(text);
const span = (min: number, max: number) => (text: string) => within(parseDuration(text), min, max);
const number = (min: number, max: number) => (text: string) =>
  /^\d{1,9}$/.test(text) ? within(Number(text), min, max) : undefined;
const within = (value: number | undefined, min: number, max: number) =>
  value !== undefined && value >= min && value <= max ? value : undefined;
const word =
  <const T extends string>(...words: readonly T[]) =>
  (text: string) =>
    words.find((known) => known === text);

export const FLAGS = {
  gateway: flag(
    'gateway',
    'HOST[:PORT]',
    'a host with or without port',
    'the gateway; port 500 unless given',
    'write for instance vpn.example.com, 192.0.2.1:500 or [2001:db8::1]:500',
    parseGateway,
  ),
  natPort: flag(
    'nat-port',
    'PORT',
    'a port',
    'its port for NAT traversal (4500)',
    'write a number from 1 to 65535',
    number(1, 65_535),
  ),
  identity: flag('id', 'IDENTITY', 'an identity', 'who we are (as --cert or --eap-user says)', IDENTITY_REMEDY, readIdentity),
  pskFile: flag(
    'psk-file',
    'FILE',
    'a file',
    'file with the pre-shared key, mode 0600',
    'name the file that holds the pre-shared key',
    file,
  ),
  certificate: flag(
    'cert',
    'FILE',
    'a file',
    'our certificate, then its intermediates (PEM)',
    'name the file that holds our certificate',
    file,
  ),
  key: flag('key', 'FILE', 'a file', 'its private key (PEM), mode 0600', 'name the file that holds the private key', file),
  eapUser: flag(
    'eap-user',
    'NAME',
    'a name',
    'who we are to EAP: with a password, or with --eap-tls',
    'write the name of the user',
    (text) => (/^[^\p{C}]{1,253}$/u.test(text) ? text : undefined),
  ),
  eapPasswordFile: flag(
    'eap-password-file',
    'FILE',
    'a file',
    'file with the password for EAP-MSCHAPv2, mode 0600',
    'name the file that holds the password',
    file,
  ),
  eapTls: alone('eap-tls', 'EAP-TLS with the certificate of --cert'),
  eapOnly: alone('eap-only', 'with --eap-tls: let the gateway prove itself by that alone (RFC 5998)'),
  eapServer: flag(
    'eap-server-id',
    'IDENTITY',
    'an identity',
    'with --eap-tls: who the EAP server must be (as --remote-id)',
    IDENTITY_REMEDY,
    readIdentity,
  ),
  authorities: {
    ...flag(
      'ca',
      'FILE|DIR',
      'a file or a folder',
      "authorities for the gateway's certificate, revocation lists too; may be repeated",
      "name the certificate of the authority that the gateway's leads to, or a folder of them",
      file,
    ),
    repeats: true,
  },
  revocation: flag(
    'revocation',
    'DEMAND',
    'a demand',
    'ifKnown: refuse revoked certificates; required: also those of which nothing is known (ifKnown)',
    'write ifKnown or required',
    word('ifKnown', 'required'),
  ),
  remoteIdentity: flag(
    'remote-id',
    'IDENTITY',
    'an identity',
    'who the gateway must be (the host of --gateway; with --psk-file whoever proves the key)',
    IDENTITY_REMEDY,
    readIdentity,
  ),
  ticketFile: flag(
    'ticket-file',
    'FILE',
    'a file',
    'keep the ticket here from one start to the next',
    'name a file in a folder that is yours',
    file,
  ),
  noTicket: alone('no-ticket', 'ask for no ticket: come back by full exchanges'),
  ping: flag(
    'ping',
    'ADDRESS',
    'an address',
    'ping this address through the tunnel, without root',
    'write an IPv4 or IPv6 address, for instance 10.8.0.1',
    address,
  ),
  interval: flag(
    'interval',
    'TIME',
    'a span of time',
    'between two pings (1s)',
    'write a whole number with its unit from 10ms to 1h, for instance 500ms',
    span(10, 3_600_000),
  ),
  count: flag('count', 'N', 'a number', 'end after so many pings', 'write a whole number from 1 on', number(1, 999_999_999)),
  tun: flag(
    'tun',
    'NAME',
    'the name of an interface',
    'carry real traffic by this TUN interface (root)',
    'write up to 15 letters or digits, for instance vpn0',
    (text) => (/^[\w.-]{1,15}$/.test(text) ? text : undefined),
  ),
  deadPeer: flag(
    'dead-peer',
    'TIME',
    'a span of time',
    'a gateway silent for so long is dead (10s)',
    'write a whole number with its unit from 200ms to 1h, for instance 10s',
    span(200, 3_600_000),
  ),
  source: flag(
    'source',
    'ADDRESS',
    'an address',
    'send from this address of ours',
    'write an IPv4 or IPv6 address of this machine',
    (text) => (parseAddress(text) ? text : undefined),
  ),
  proposal: flag(
    'proposal',
    'KEYWORDS',
    'a proposal for IKE',
    'algorithms for IKE, the most wanted first, joined by - (all)',
    `join keywords by -: ${IKE_KEYWORDS}; for instance aes256gcm16-prfsha256-x25519`,
    parseIkeProposal,
  ),
  espProposal: flag(
    'esp-proposal',
    'KEYWORDS',
    'a proposal for ESP',
    'algorithms for ESP, in the same way (all)',
    `join keywords by -: ${ESP_KEYWORDS}, none; for instance aes256gcm16-x25519`,
    parseEspProposal,
  ),
  ppkId: flag(
    'ppk-id',
    'ID',
    'an id',
    'name of the post-quantum pre-shared key (RFC 8784)',
    'write the id under which the gateway has the key',
    (text) => (/^[^\p{C}]{1,255}$/u.test(text) ? text : undefined),
  ),
  ppkFile: flag('ppk-file', 'FILE', 'a file', 'file with that key, mode 0600', 'name the file that holds the key', file),
  ppkRequired: alone('ppk-required', 'no session without that key'),
  postQuantum: flag(
    'post-quantum',
    'DEMAND',
    'a demand',
    'required: no session whose keys quantum computers break (any)',
    'write any or required',
    word('any', 'required'),
  ),
  noMobike: alone('no-mobike', 'do not keep the session by MOBIKE when our address changes'),
  childless: alone('childless', 'authenticate first and ask for the tunnel after that (RFC 6023)'),
  noRedirect: alone('no-redirect', 'do not follow a gateway that sends us elsewhere'),
  crypto: flag(
    'crypto',
    'PROVIDER',
    'a provider',
    'auto, noble or openssl (auto)',
    'write auto, noble or openssl',
    word('auto', 'noble', 'openssl'),
  ),
  once: alone('once', 'end with the first failure or the end of the session, and a status that says so'),
  suspendOnExit: alone('suspend-on-exit', 'leave silently and keep the ticket for the next start'),
  json: alone('json', 'one event per line as JSON'),
  logLevel: flag(
    'log-level',
    'LEVEL',
    'a level',
    'diagnostics on stderr: silent, error, warn, info, debug (error)',
    'write silent, error, warn, info or debug',
    word('silent', 'error', 'warn', 'info', 'debug'),
  ),
} as const;

/** Port 500 unless given; an IPv6 address with a port stands in brackets. */
export function parseGateway(text: string): Pick<GatewayAddress, 'host' | 'ikePort'> | undefined {
  if (parseAddress(text)) return { host: text, ikePort: 500 };
  const [, ipv6, name, digits = '500'] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = ipv6 ?? name;
  const ikePort = within(Number(digits), 1, 65_535);
  if (host === undefined || ikePort === undefined) return undefined;
  // A name of digits and dots would be a mistyped address.
  const known = ipv6 === undefined ? /[A-Za-z]/.test(host) || parseAddress(host) : parseAddress(host);
  return known ? { host, ikePort } : undefined;
}
