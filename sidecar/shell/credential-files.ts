/** The folders of credentials, each loaded whole and renewed whole; together they make what the core, EAP and RADIUS go by. */
import type { EapUsers } from '../contract/eap-users.ts';
import { NO_RADIUS_SECRETS, type RadiusSecrets } from '../contract/radius-secrets.ts';
import type { TlsCertificate } from '../eap/tls-context.ts';
import type { Credentials } from '../ike/context.ts';
import { TRUSTS_NOBODY, type Trust } from '../ike/pki/trust.ts';
import { LiveFile, type LiveFileOptions } from '../process/live-file.ts';
import { type Folder, readAll } from '../process/snapshot.ts';
import { CREDENTIALS, type CredentialRole, type CredentialValues, type Loaded, type Making } from './credential-kinds.ts';

/** A role that is left out: nobody has such a credential. */
export type CredentialFolders = { readonly [R in CredentialRole]?: readonly Folder[] | undefined };

/** What servers beside the core go by. */
export interface ServerCredentials {
  readonly users: Pick<EapUsers, 'ntHash'>;
  readonly trust: Trust;
  readonly certificate: TlsCertificate | undefined;
  readonly radius: RadiusSecrets;
}

type Files = { readonly [R in CredentialRole]?: LiveFile<Loaded<CredentialValues[R]>> };
type Heard = Pick<LiveFileOptions<unknown>, 'refused' | 'missing'> & {
  readonly loaded: (loaded: Loaded<unknown>) => void;
};

export class CredentialFiles {
  readonly #files: Files;

  constructor(folders: CredentialFolders, heard: (role: CredentialRole) => Heard) {
    const live = <R extends CredentialRole>(role: R): Files => {
      const given = folders[role];
      return given === undefined || given.length === 0 ? {} : { [role]: liveFiles(role, given, heard(role)) };
    };
    this.#files = {
      ...live('psk'),
      ...live('certificate'),
      ...live('authorities'),
      ...live('eap'),
      ...live('radius'),
      ...live('ppk'),
    };
  }

  /** By role. */
  all(): readonly (readonly [role: CredentialRole, file: Pick<LiveFile<unknown>, 'value' | 'problems' | 'look' | 'close'>])[] {
    return ROLES.flatMap((role) => (this.#files[role] ? [[role, this.#files[role]] as const] : []));
  }

  /** Undefined while one that there should be is not there yet. */
  make(making: Making): { readonly core: Credentials; readonly servers: ServerCredentials } | undefined {
    if (this.all().some(([, { value }]) => value === undefined)) return undefined;
    const { psk, certificate, authorities, eap, radius, ppk } = this.#files;
    const [keys, own, quantum] = [psk?.value?.make(making), certificate?.value?.make(making), ppk?.value?.make(making)];
    const trust = authorities?.value?.make(making) ?? TRUSTS_NOBODY;
    return {
      core: {
        psk: (identity) => keys?.psk(identity),
        certificate: own?.own,
        trust,
        ppk: (id) => quantum?.ppk(id),
        hasPpks: (quantum?.size ?? 0) > 0,
      },
      servers: {
        ...{ users: eap?.value?.make(making) ?? NO_USERS, trust, certificate: own?.tls },
        radius: radius?.value?.make(making) ?? NO_RADIUS_SECRETS,
      },
    };
  }
}

export const ROLES: readonly CredentialRole[] = ['psk', 'certificate', 'authorities', 'eap', 'radius', 'ppk'];

const NO_USERS: Pick<EapUsers, 'ntHash'> = { ntHash: () => undefined };

function liveFiles<R extends CredentialRole>(
  role: R,
  folders: readonly Folder[],
  heard: Heard,
): LiveFile<Loaded<CredentialValues[R]>> {
  const { title, counts, parse } = CREDENTIALS[role];
  return new LiveFile({
    name: title,
    directories: folders.map(({ path }) => path),
    read: readAll(folders, counts),
    parse,
    ...heard,
  });
}
