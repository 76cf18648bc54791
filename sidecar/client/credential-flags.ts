/** Which of the flags say how the client authenticates: exactly one way, whole, and nothing that is of no use with it. */
import type { Identity } from '../contract/gateway-config.ts';
import { FLAGS, type Flag } from './flags.ts';

/** Files and names as they were given; nothing has been read yet. */
export type CredentialFlags =
  | { readonly method: 'psk'; readonly pskFile: string }
  | ({ readonly method: 'certificate' } & OwnCertificateFlags & TrustFlags)
  | ({ readonly method: 'eap-mschapv2'; readonly user: string; readonly passwordFile: string } & TrustFlags)
  | ({
      readonly method: 'eap-tls';
      /** Undefined: as the certificate says. */
      readonly user: string | undefined;
      readonly eapOnly: boolean;
      readonly eapServer: Identity | undefined;
    } & OwnCertificateFlags &
      TrustFlags);

interface OwnCertificateFlags {
  readonly certificate: string;
  readonly key: string;
}

interface TrustFlags {
  /** Files and folders. */
  readonly authorities: readonly string[];
  readonly revocation: 'ifKnown' | 'required';
}

/** The command line, as far as it matters here. */
interface Given {
  has(name: string): boolean;
  read<T>(flag: Flag<T>): T | undefined;
  readAll<T>(flag: Flag<T>): readonly T[];
  required<T>(flag: Flag<T>): T | undefined;
  refuse(flag: Pick<Flag<unknown>, 'name'>, message: string, remedy: string): undefined;
  say(problem: string): undefined;
}

type Method = CredentialFlags['method'];

const WAYS: Readonly<Record<Method, { readonly flags: string; readonly allows: readonly Flag<unknown>[] }>> = {
  psk: { flags: '--psk-file', allows: [FLAGS.pskFile] },
  certificate: {
    flags: '--cert with --key and --ca',
    allows: [FLAGS.certificate, FLAGS.key, FLAGS.authorities, FLAGS.revocation],
  },
  'eap-mschapv2': {
    flags: '--eap-user with --eap-password-file and --ca',
    allows: [FLAGS.eapUser, FLAGS.eapPasswordFile, FLAGS.authorities, FLAGS.revocation],
  },
  'eap-tls': {
    flags: '--eap-tls with --cert, --key and --ca',
    allows: [
      ...[FLAGS.eapTls, FLAGS.eapOnly, FLAGS.eapServer, FLAGS.eapUser, FLAGS.certificate, FLAGS.key],
      ...[FLAGS.authorities, FLAGS.revocation],
    ],
  },
};

const ALL = [...new Set(Object.values(WAYS).flatMap(({ allows }) => allows))];
const CHOICES = `give one of: ${Object.values(WAYS)
  .map(({ flags }) => flags)
  .join('; ')}`;

/** Undefined when a problem was said. */
export function readCredentialFlags(given: Given): CredentialFlags | undefined {
  const [method, ...others] = waysOf(given);
  if (method === undefined) return given.say(`no way to authenticate; ${CHOICES}`);
  if (others.length > 0)
    return given.say(`${[method, ...others].map(markOf).join(' and ')}: more than one way to authenticate; ${CHOICES}`);
  const { flags, allows } = WAYS[method];
  for (const flag of ALL.filter((one) => !allows.includes(one) && given.has(`--${one.name}`)))
    given.refuse(
      flag,
      `of no use with ${flags}`,
      flag === FLAGS.eapOnly ? 'use --eap-tls, which proves both sides' : 'leave it out',
    );
  return READ[method](given);
}

function waysOf(given: Given): Method[] {
  const has = (...flags: readonly Flag<unknown>[]): boolean => flags.some(({ name }) => given.has(`--${name}`));
  const eapTls = has(FLAGS.eapTls);
  return [
    ...(has(FLAGS.pskFile) ? (['psk'] as const) : []),
    ...(has(FLAGS.certificate, FLAGS.key) && !eapTls ? (['certificate'] as const) : []),
    ...(has(FLAGS.eapPasswordFile) || (has(FLAGS.eapUser) && !eapTls) ? (['eap-mschapv2'] as const) : []),
    ...(eapTls ? (['eap-tls'] as const) : []),
  ];
}

const markOf = (method: Method): string => WAYS[method].flags.replace(/ .*/, '');

const READ: Readonly<Record<Method, (given: Given) => CredentialFlags | undefined>> = {
  psk(given) {
    const pskFile = given.required(FLAGS.pskFile);
    return pskFile === undefined ? undefined : { method: 'psk', pskFile };
  },
  certificate(given) {
    const [own, trust] = [readOwn(given), readTrust(given)];
    return own && trust && { method: 'certificate', ...own, ...trust };
  },
  'eap-mschapv2'(given) {
    const [user, passwordFile, trust] = [given.required(FLAGS.eapUser), given.required(FLAGS.eapPasswordFile), readTrust(given)];
    if (user === undefined || passwordFile === undefined || !trust) return undefined;
    return { method: 'eap-mschapv2', user, passwordFile, ...trust };
  },
  'eap-tls'(given) {
    const [own, trust] = [readOwn(given), readTrust(given)];
    const [user, eapServer, eapOnly] = [
      given.read(FLAGS.eapUser),
      given.read(FLAGS.eapServer),
      given.read(FLAGS.eapOnly) ?? false,
    ];
    return own && trust && { method: 'eap-tls', user, eapServer, eapOnly, ...own, ...trust };
  },
};

function readOwn(given: Given): OwnCertificateFlags | undefined {
  const [certificate, key] = [given.required(FLAGS.certificate), given.required(FLAGS.key)];
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function readTrust(given: Given): TrustFlags | undefined {
  if (!given.has(`--${FLAGS.authorities.name}`)) return given.refuse(FLAGS.authorities, 'missing', FLAGS.authorities.remedy);
  const authorities = given.readAll(FLAGS.authorities);
  return { authorities, revocation: given.read(FLAGS.revocation) ?? 'ifKnown' };
}
