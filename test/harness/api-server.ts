/** An API server in this process: the local mode's objects behind HTTP, with the faults of real ones on demand. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../operator/clock.ts';
import { ApiError } from '../../operator/kube/api-error.ts';
import type { Change, Selection } from '../../operator/kube/cluster.ts';
import { isKind, KINDS, type Kind } from '../../operator/kube/kind.ts';
import { type Access, type Transport, transport } from '../../operator/kube/transport.ts';
import { ObjectStore } from '../../operator/local/object-store.ts';
import type { Manifest, Ref } from '../../operator/plan/plan.ts';

/** Decides over a request before it is served; answers whether it has dealt with it. */
export type Fault = (request: Asked, response: ServerResponse) => boolean;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}

interface Watch {
  readonly kind: Kind;
  readonly selection: Selection;
  readonly response: ServerResponse;
}

export class FakeApiServer {
  readonly store: ObjectStore = new ObjectStore(systemClock, undefined);
  readonly asked: Asked[] = [];
  fault: Fault = () => false;
  readonly #server: Server;
  readonly #watches: Set<Watch> = new Set();
  /** What a watch may begin from; older versions are gone. */
  readonly #history: { readonly version: number; readonly change: Change }[] = [];
  #oldest = 0;

  constructor(tls?: { readonly key: string; readonly cert: string }) {
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server = tls ? createTlsServer(tls, serve) : createServer(serve);
    this.store.watch((change) => this.#changed(change));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address: AddressInfo | string | null = this.#server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    return `${this.#server instanceof Object && 'setSecureContext' in this.#server ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A transport to it without any credentials. */
  async transport(): Promise<Transport> {
    const access: Access = { server: await this.listen(), options: async () => ({ headers: { authorization: 'Bearer test' } }) };
    return transport(access);
  }

  get watching(): number {
    return this.#watches.size;
  }

  /** Watches from versions before now get 410 from here on. */
  forgetHistory(): void {
    this.#history.length = 0;
    this.#oldest = Number(this.store.resourceVersion);
  }

  /** Ends all watches, at once or after some bytes of a line. */
  breakWatches(how: 'end' | 'cut' | 'garbage' | 'expire'): void {
    for (const { response } of [...this.#watches]) {
      if (how === 'expire') response.write(line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }));
      if (how === 'cut') response.write('{"type":"MODIFIED","obj');
      if (how === 'garbage') response.write('<html>bad gateway</html>\n');
      if (how === 'cut') setImmediate(() => response.destroy());
      else response.end();
    }
  }

  bookmark(): void {
    for (const { kind, response } of this.#watches) {
      const metadata = { resourceVersion: this.store.resourceVersion };
      response.write(line('BOOKMARK', { kind, apiVersion: KINDS[kind].apiVersion, metadata }));
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await read(request);
    this.asked.push(asked);
    if (this.fault(asked, response)) return;
    try {
      this.#answer(asked, response);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refuse(response, error.status, error.reason, error.message);
    }
  }

  #answer(asked: Asked, response: ServerResponse): void {
    const target = targetOf(asked.path);
    if (!target) refuse(response, 404, 'NotFound', `no such path: ${asked.path}`);
    else if (target.name === undefined && asked.method === 'GET') this.#list(asked, target, response);
    else this.#one(asked, target, response);
  }

  #one(asked: Asked, target: Target, response: ServerResponse): void {
    const answer = this.#act(asked, target, refOf(target));
    if (answer === undefined) refuse(response, 404, 'NotFound', `${target.kind} ${target.name} not found`);
    else send(response, 200, answer);
  }

  #act({ method, query, headers, body }: Asked, { subresource }: Target, ref: Ref): object | undefined {
    const manifest = toManifest(body, ref);
    switch (method) {
      case 'GET':
        return this.store.get(ref);
      case 'POST':
        if (subresource === 'eviction') return this.#delete(ref, mapping(body['deleteOptions']));
        return this.store.create(manifest);
      case 'PUT':
        return this.store.replace(manifest);
      case 'DELETE':
        return this.#delete(ref, body);
      case 'PATCH':
        if (headers['content-type'] === 'application/merge-patch+json') {
          return this.store.merge(ref, withoutUid(body), uidOf(body));
        }
        return this.store.apply(manifest, query.get('fieldManager') ?? '', subresource === 'status' ? 'status' : 'object');
      default:
        throw new ApiError(405, 'MethodNotAllowed', method);
    }
  }

  #delete(ref: Ref, options: Readonly<Record<string, unknown>>): object | undefined {
    if (!this.store.get(ref)) return undefined;
    const grace = options['gracePeriodSeconds'];
    const uid = mapping(options['preconditions'])['uid'];
    this.store.remove(ref, {
      uid: typeof uid === 'string' ? uid : undefined,
      graceSeconds: typeof grace === 'number' ? grace : undefined,
    });
    return { kind: 'Status', status: 'Success' };
  }

  #list({ query }: Asked, { kind, namespace }: Target, response: ServerResponse): void {
    const selection = { ...(namespace ? { namespace } : {}), labels: labelsOf(query.get('labelSelector') ?? '') };
    if (query.get('watch')) this.#watch({ kind, selection, response }, Number(query.get('resourceVersion')));
    else this.#page(query, kind, selection, response);
  }

  #page(query: URLSearchParams, kind: Kind, selection: Selection, response: ServerResponse): void {
    const all = this.store.list(kind, selection);
    const begin = Number(query.get('continue') ?? 0);
    const end = begin + Number(query.get('limit') ?? all.length);
    const metadata = { resourceVersion: this.store.resourceVersion, continue: end < all.length ? `${end}` : '' };
    send(response, 200, {
      kind: `${kind}List`,
      metadata,
      items: all.slice(begin, end).map(({ kind: _k, apiVersion: _a, ...item }) => item),
    });
  }

  #watch(watch: Watch, from: number): void {
    watch.response.writeHead(200, { 'content-type': 'application/json' });
    watch.response.flushHeaders();
    if (from < this.#oldest) {
      watch.response.end(
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: `too old resource version: ${from}` }),
      );
      return;
    }
    this.#watches.add(watch);
    watch.response.on('close', () => this.#watches.delete(watch));
    for (const { version, change } of this.#history) if (version > from) tell(watch, change);
  }

  #changed(change: Change): void {
    this.#history.push({ version: Number((change.after ?? change.before)?.metadata.resourceVersion), change });
    for (const watch of this.#watches) tell(watch, change);
  }
}

function tell({ kind, selection, response }: Watch, { kind: changed, before, after }: Change): void {
  const object = after ?? before;
  if (changed !== kind || !object || (selection.namespace && object.metadata.namespace !== selection.namespace)) return;
  if (
    !Object.entries(selection.labels ?? {}).every(
      ([name, value]) => value === (object.metadata.labels?.[name] ?? '') || value === '*',
    )
  )
    return;
  response.write(line(!after ? 'DELETED' : before ? 'MODIFIED' : 'ADDED', object));
}

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;

interface Target {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

function targetOf(path: string): Target | undefined {
  const [, , namespace, plural, name, subresource] =
    /^\/(api\/v1|apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(path) ?? [];
  const kind = Object.keys(KINDS).find((candidate) => isKind(candidate) && KINDS[candidate].plural === plural);
  return kind !== undefined && isKind(kind) ? { kind, namespace, name, subresource } : undefined;
}

function refOf({ kind, namespace = '', name = '' }: Target): Ref {
  return { apiVersion: KINDS[kind].apiVersion, kind, namespace, name };
}

function toManifest(body: Readonly<Record<string, unknown>>, ref: Ref): Manifest {
  const metadata = mapping(body['metadata']);
  const name = ref.name === '' ? `${metadata['name']}` : ref.name;
  return { ...body, apiVersion: ref.apiVersion, kind: ref.kind, metadata: { ...metadata, namespace: ref.namespace, name } };
}

/** `a=b,c` with `*` for any value. */
function labelsOf(selector: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    selector.split(',').flatMap((part) => (part.includes('=') ? [[part.split('=')[0] ?? '', part.split('=')[1] ?? '']] : [])),
  );
}

async function read(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const url = new URL(request.url ?? '/', 'http://server');
  const { method = 'GET', headers } = request;
  return { method, path: url.pathname, query: url.searchParams, headers, body: text === '' ? {} : mapping(JSON.parse(text)) };
}

export function refuse(response: ServerResponse, code: number, reason: string, message: string, retryAfter?: number): void {
  if (retryAfter !== undefined) response.setHeader('retry-after', `${retryAfter}`);
  send(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

const mapping = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

function uidOf(body: Readonly<Record<string, unknown>>): string | undefined {
  const uid = mapping(body['metadata'])['uid'];
  return typeof uid === 'string' ? uid : undefined;
}

function withoutUid(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { uid: _uid, ...metadata } = mapping(body['metadata']);
  return { ...body, metadata };
}
