/** Reads manifests as users write them: every problem of a file with its place and a remedy; a file with a problem is refused whole. */
import { loadAll, YAMLException } from 'js-yaml';
import type { TicketKey } from '../../crds/v1alpha1/ticketkey.ts';
import { type Applied, validate } from '../../crds/v1alpha1/validate.ts';
import type { VpnGateway } from '../../crds/v1alpha1/vpngateway.ts';
import { type Parsed, Place } from '../../sidecar/contract/problem.ts';
import type { Manifest, Ref } from '../plan/plan.ts';
import { isMapping } from './field-ownership.ts';
import { toManifest } from './object-store.ts';

/** What an object would replace: for fields that cannot be changed. */
export type Lookup = (ref: Ref) => Manifest | undefined;

/** The kinds that users write here. */
export const USER_KINDS = ['VpnGateway', 'TicketKey', 'Secret', 'ConfigMap'] as const;

export function parseManifests(file: string, text: string, lookup: Lookup): Parsed<readonly Manifest[]> {
  const place = new Place(file);
  const documents = load(text, place)?.filter((document) => document !== null && document !== undefined);
  if (!documents) return { ok: false, problems: place.problems };
  const parsed = documents.map((document) => parseManifest(file, document, lookup));
  const problems = parsed.flatMap((result) => (result.ok ? [] : result.problems));
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: parsed.flatMap((result) => (result.ok ? [result.value] : [])) };
}

export function parseManifest(file: string, document: unknown, lookup: Lookup): Parsed<Manifest> {
  if (isMapping(document) && document['kind'] === 'Secret') return parseSecret(file, document);
  if (isMapping(document) && document['kind'] === 'ConfigMap') return parseConfigMap(file, document);
  if (isMapping(document) && !USER_KINDS.some((kind) => kind === document['kind'])) return refuseKind(file);
  const validated = validate(file, document, oldOf(document, lookup));
  return validated.ok ? { ok: true, value: toManifest(validated.value) } : validated;
}

function load(text: string, place: Place): readonly unknown[] | undefined {
  try {
    return loadAll(text, { maxAliases: 0, maxDepth: 30 });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const where = error.mark ? ` at line ${error.mark.line + 1}, column ${error.mark.column + 1}` : '';
    // The reason may repeat a part of the file, and the file may hold a Secret.
    place.refuse(`not valid YAML${where}: ${error.reason.replace(/\s*[!":].*$/s, '')}`, 'correct it; indentation is by spaces');
    return undefined;
  }
}

function refuseKind(file: string): Parsed<Manifest> {
  const place = new Place(file);
  place.at('kind').refuse('not a kind that the local mode knows', `write one of ${USER_KINDS.join(', ')}`);
  return { ok: false, problems: place.problems };
}

function oldOf(document: unknown, lookup: Lookup): Applied<VpnGateway> | Applied<TicketKey> | undefined {
  if (!isMapping(document) || !isMapping(document['metadata'])) return undefined;
  const { apiVersion, kind, metadata } = document;
  const { namespace = 'default', name } = metadata;
  if (kind !== 'VpnGateway' && kind !== 'TicketKey') return undefined;
  const old = lookup({ apiVersion: `${apiVersion}`, kind, namespace: `${namespace}`, name: `${name}` });
  return old && isApplied(old) ? old : undefined;
}

/** What is in the store has been validated. */
const isApplied = (object: Manifest): object is Manifest & (Applied<VpnGateway> | Applied<TicketKey>) =>
  object.kind === 'VpnGateway' || object.kind === 'TicketKey';

/** With `stringData` in `data`, so that an entry that is taken out of the file goes away. */
function parseSecret(file: string, document: Readonly<Record<string, unknown>>): Parsed<Manifest> {
  const place = new Place(file);
  const { data, stringData, type } = document;
  const metadata = checkObject(document, SECRET_FIELDS, place);
  const entries = { ...encoded(data, place.at('data')), ...texts(stringData, place.at('stringData')) };
  if (place.problems.length > 0) return { ok: false, problems: place.problems };
  return { ok: true, value: toManifest({ apiVersion: 'v1', kind: 'Secret', metadata, type: type ?? 'Opaque', data: entries }) };
}

function parseConfigMap(file: string, document: Readonly<Record<string, unknown>>): Parsed<Manifest> {
  const place = new Place(file);
  const metadata = checkObject(document, CONFIG_MAP_FIELDS, place);
  const data = entriesOf(document['data'], place.at('data'), (text) => text);
  const binaryData = encoded(document['binaryData'], place.at('binaryData'));
  if (place.problems.length > 0) return { ok: false, problems: place.problems };
  return { ok: true, value: toManifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data, binaryData }) };
}

function checkObject(document: Readonly<Record<string, unknown>>, fields: readonly string[], place: Place) {
  const given = isMapping(document['metadata']) ? document['metadata'] : {};
  const { name, namespace = 'default', labels, annotations } = given;
  if (typeof name !== 'string' || !NAME.test(name)) place.at('metadata').at('name').refuse('missing or not a name', NAME_REMEDY);
  if (typeof namespace !== 'string' || !NAME.test(namespace))
    place.at('metadata').at('namespace').refuse('not a name', NAME_REMEDY);
  for (const field of Object.keys(document)) {
    if (!fields.includes(field)) place.at(field).refuse('unknown field', `remove it; the fields here are ${fields.join(', ')}`);
  }
  return {
    name,
    namespace,
    labels: isMapping(labels) ? labels : {},
    annotations: isMapping(annotations) ? annotations : {},
  };
}

const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const NAME_REMEDY = 'write lower-case letters, digits and hyphens, beginning and ending with a letter or digit';
const SECRET_FIELDS: readonly string[] = ['apiVersion', 'kind', 'metadata', 'type', 'data', 'stringData', 'immutable'];
const CONFIG_MAP_FIELDS: readonly string[] = ['apiVersion', 'kind', 'metadata', 'data', 'binaryData', 'immutable'];
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function encoded(data: unknown, place: Place): Readonly<Record<string, string>> {
  return entriesOf(data, place, (text, at) => {
    if (!BASE64.test(text.replace(/\s/g, ''))) at.refuse('not base64', 'write plain text under stringData instead');
    return text.replace(/\s/g, '');
  });
}

const texts = (data: unknown, place: Place): Readonly<Record<string, string>> =>
  entriesOf(data, place, (text) => Buffer.from(text, 'utf8').toString('base64'));

function entriesOf(data: unknown, place: Place, read: (text: string, at: Place) => string): Readonly<Record<string, string>> {
  if (data === undefined || data === null) return {};
  if (!isMapping(data)) {
    place.refuse('not a mapping', 'write one "name: text" per entry');
    return {};
  }
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      if (typeof value === 'string') return [name, read(value, place.at(name))];
      place.at(name).refuse('not a text', 'write it in quotes, or as a block after |');
      return [name, ''];
    }),
  );
}
