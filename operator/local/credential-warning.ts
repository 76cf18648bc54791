/** What pods will complain of, said at once where the user looks: Secrets that are missing and pre-shared keys that cannot be used. */

import type { VpnGateway } from '../../crds/v1alpha1/vpngateway.ts';
import { parsePreSharedKeys } from '../../sidecar/contract/pre-shared-keys.ts';
import type { Problem } from '../../sidecar/contract/problem.ts';
import { credentials } from '../plan/manifests/credentials.ts';
import { isGateway } from '../resource.ts';
import { isMapping } from './field-ownership.ts';
import type { ObjectStore } from './object-store.ts';

/** Only the local mode does this: on a cluster the operator never reads users' credentials. */
export function warningsAbout(store: ObjectStore): readonly Problem[] {
  return store
    .list('VpnGateway')
    .filter(isGateway)
    .flatMap((gateway) => credentialProblems(gateway, store));
}

function credentialProblems(gateway: VpnGateway, store: ObjectStore): readonly Problem[] {
  return [...missingObjects(gateway, store), ...preSharedKeyProblems(gateway, store)];
}

function missingObjects(gateway: VpnGateway, store: ObjectStore): readonly Problem[] {
  const { namespace, name: file } = gateway.metadata;
  return credentials(gateway).flatMap(({ field, objects }) =>
    objects.flatMap((object) => {
      const [kind = '', name = ''] = object.split(' ');
      if (store.get({ apiVersion: 'v1', kind, namespace, name })) return [];
      const place = { file: `VpnGateway ${file}`, path: `spec.${field}` };
      return [{ ...place, message: `there is no ${kind} "${name}"`, remedy: 'add its manifest to the directory' }];
    }),
  );
}

function preSharedKeyProblems({ spec, metadata }: VpnGateway, store: ObjectStore): readonly Problem[] {
  const name = spec.authentication.psk?.secretRef.name;
  const secret = name && store.get({ apiVersion: 'v1', kind: 'Secret', namespace: metadata.namespace, name });
  if (!secret) return [];
  const place = { file: `VpnGateway ${metadata.name}`, path: 'spec.authentication.psk.secretRef' };
  const files = Object.entries(isMapping(secret['data']) ? secret['data'] : {}).filter(([entry]) => entry.endsWith('.yaml'));
  if (files.length === 0) {
    return [
      { ...place, message: `Secret "${name}" has no entry that ends in .yaml`, remedy: 'add one that maps identities to keys' },
    ];
  }
  const parsed = parsePreSharedKeys(
    files.map(([entry, text]) => ({ file: `Secret ${name}: ${entry}`, text: Buffer.from(`${text}`, 'base64').toString('utf8') })),
  );
  return parsed.ok ? parsed.value.warnings : parsed.problems;
}
