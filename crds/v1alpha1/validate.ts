/** Takes a manifest as a user wrote it to a resource that fits the schema, or reports every fault with its path and a remedy. */
import { isMapping, withDefaults } from './defaults.ts';
import { checkValue, type Problem, Site } from './fault.ts';
import type { Metadata } from './metadata.ts';
import { definition, type Kind, kinds, type Schema } from './schema.ts';
import type { TicketKey } from './ticketkey.ts';
import type { VpnGateway } from './vpngateway.ts';

/** A resource as it is before anybody gave it a uid and a status. */
export type Applied<R extends VpnGateway | TicketKey> = Pick<R, 'apiVersion' | 'kind' | 'spec'> & {
  readonly metadata: Pick<Metadata, 'name' | 'namespace' | 'labels' | 'annotations'>;
};

export type Validated =
  | { readonly ok: true; readonly value: Applied<VpnGateway> | Applied<TicketKey> }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Applies defaults and validates. `file` only names the place in problems; `old` is the resource that this one would replace,
 * for fields that cannot be changed. A status is ignored, as the API server does.
 */
export function validate(file: string, manifest: unknown, old?: Applied<VpnGateway> | Applied<TicketKey>): Validated {
  const site = new Site(file);
  const kind = checkKind(manifest, site);
  if (!kind || !isMapping(manifest)) return { ok: false, problems: site.problems };
  const { schema } = definitions[kind];
  const metadata = checkMetadata(manifest['metadata'], site.at('metadata'));
  const { status: _ignored, ...rest } = manifest;
  const value = withDefaults(schema, { ...rest, metadata });
  checkValue(schema, value, old, site);
  return site.problems.length > 0 ? { ok: false, problems: site.problems } : { ok: true, value: typed(value) };
}

const definitions = { VpnGateway: definition('VpnGateway'), TicketKey: definition('TicketKey') } as const satisfies Record<
  Kind,
  { schema: Schema }
>;

/** The only way out: everything was checked against the schema that the types are generated from. */
const typed = (value: unknown) => value as Applied<VpnGateway> | Applied<TicketKey>;

function checkKind(manifest: unknown, site: Site): Kind | undefined {
  if (!isMapping(manifest)) return site.refuse('not a mapping', 'write apiVersion, kind, metadata and spec');
  const kind = kinds.find((name) => name === manifest['kind']);
  if (!kind) return site.at('kind').refuse(`not one of ${kinds.join(', ')}`, `write one of ${kinds.join(', ')}`);
  const { apiVersion } = definitions[kind];
  if (manifest['apiVersion'] !== apiVersion) site.at('apiVersion').refuse(`not ${apiVersion}`, `write apiVersion: ${apiVersion}`);
  return kind;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** What local mode needs of the rules for ObjectMeta; a namespace that is left out is `default`. */
function checkMetadata(metadata: unknown, site: Site): Applied<VpnGateway>['metadata'] {
  const given = isMapping(metadata) ? metadata : {};
  if (metadata !== undefined && !isMapping(metadata)) site.refuse('not a mapping', 'write name: and the name of the object');
  return {
    name: checkName(given['name'], site.at('name')),
    namespace: checkName(given['namespace'] ?? 'default', site.at('namespace')),
    labels: checkTexts(given['labels'] ?? {}, site.at('labels')),
    annotations: checkTexts(given['annotations'] ?? {}, site.at('annotations')),
  };
}

function checkName(name: unknown, site: Site): string {
  if (typeof name === 'string' && DNS_LABEL.test(name)) return name;
  const remedy = 'write lower-case letters, digits and hyphens, beginning and ending with a letter or digit';
  site.refuse(name === undefined ? 'missing' : `not a name: ${JSON.stringify(name)}`, remedy);
  return '';
}

function checkTexts(texts: unknown, site: Site): Record<string, string> {
  if (!isMapping(texts)) return site.refuse('not a mapping', 'write one "name: text" per line') ?? {};
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, checkText(text, site.at(name))]));
}

function checkText(text: unknown, site: Site): string {
  if (typeof text === 'string') return text;
  site.refuse('not a text', 'write it in quotes');
  return '';
}
