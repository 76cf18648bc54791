/** A small HTTP server for probes, metrics and status: GET and HEAD of fixed paths, with tight limits on all that a stranger could hold open. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closed, listening, portOf } from './listening.ts';
import type { Log } from './log.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** `local`: asked over the loopback address, by someone on this machine or through a port-forward. */
export type Route = (request: { readonly local: boolean }) => Answer | Promise<Answer>;

export interface HttpServerOptions {
  /** Undefined: all addresses of this machine. */
  readonly host: string | undefined;
  readonly port: number;
  readonly routes: Readonly<Record<string, Route>>;
  readonly log: Log;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

export const plainText = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
});
export const json = (body: string): Answer => ({ status: 200, type: 'application/json', body });

/** @throws Error that explains why the port cannot be had. */
export async function startHttpServer({ host, port, routes, log }: HttpServerOptions): Promise<HttpServer> {
  const server = createServer(LIMITS, (request, response) => {
    answer(request, routes)
      .catch((error: unknown) => {
        log.error({ err: error, path: request.url?.slice(0, 100) }, 'request failed');
        return plainText(500, 'internal error');
      })
      .then((given) => send(request, response, given));
  });
  server.maxConnections = 128;
  await listening(server, host, port);
  return { port: portOf(server), close: () => closed(server) };
}

const LIMITS = { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 15_000, maxHeaderSize: 8_192 } as const;

async function answer(request: IncomingMessage, routes: HttpServerOptions['routes']): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return plainText(405, 'only GET and HEAD');
  const path = request.url?.split('?', 1)[0] ?? '';
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  return route
    ? route({ local: isLoopback(request.socket.localAddress) })
    : plainText(404, `there is ${Object.keys(routes).join(', ')}`);
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  const hasBody = request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    // Nobody reads a body here.
    ...(hasBody ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The well-known addresses only: whole 127.0.0.0/8 is where gateways on one machine have their pod addresses. */
const isLoopback = (address: string | undefined): boolean =>
  address === '127.0.0.1' || address === '::1' || address === '::ffff:127.0.0.1';
