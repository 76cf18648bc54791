/** Requests to an API server: one JSON answer, or a stream of JSON lines that must not fall silent. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ApiError } from './api-error.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** Where the server is and who we are; asked before each request, because tokens are renewed. */
export interface Access {
  readonly server: string;
  options(): Promise<RequestOptions>;
}

export interface Transport {
  /** The decoded answer. Throws ApiError. */
  call(request: ApiRequest): Promise<unknown>;
  /** One value per line of the answer, until the server ends it. Throws ApiError, also after `silenceMs` without a byte. */
  lines(request: ApiRequest, silenceMs: number): AsyncGenerator<unknown, void>;
}

/** A server that says nothing at all for so long is not coming back on this connection. */
const ANSWER_MS = 30_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export function transport(access: Access): Transport {
  return {
    call: async (request) => {
      const response = await send(access, request, ANSWER_MS);
      const text = await readAll(response);
      if (!succeeded(response)) throw refusal(response, text);
      return text === '' ? undefined : parse(text);
    },
    lines: async function* (request, silenceMs) {
      const response = await send(access, request, silenceMs);
      if (!succeeded(response)) throw refusal(response, await readAll(response));
      try {
        for await (const line of splitLines(response)) yield parse(line);
      } catch (error) {
        throw noAnswer(error);
      } finally {
        response.destroy();
      }
    },
  };
}

async function send(access: Access, request: ApiRequest, silenceMs: number): Promise<IncomingMessage> {
  const options = await access.options().catch((error: unknown) => {
    throw new ApiError(0, 'NoCredentials', `cannot authenticate to ${access.server}: ${messageOf(error)}`);
  });
  const url = new URL(access.server.replace(/\/$/, '') + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, value);
  return exchange(url, options, request, silenceMs, true);
}

function exchange(
  url: URL,
  options: RequestOptions,
  request: ApiRequest,
  silenceMs: number,
  again: boolean,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const begin = url.protocol === 'http:' ? httpRequest : httpsRequest;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const sent = begin(url, {
      ...options,
      method: request.method,
      headers: { ...options.headers, ...headers(body, request.contentType) },
      ...(request.signal ? { signal: request.signal } : {}),
    });
    // Counts from the last byte in either direction, so it also ends a connection whose other side has vanished.
    sent.setTimeout(silenceMs, () => sent.destroy(new Error(`no answer for ${silenceMs} ms`)));
    sent.on('error', (error) => {
      // The server closed an idle connection at the moment when we used it again: it saw nothing of the request.
      const idle = again && sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET';
      if (idle) resolve(exchange(url, options, request, silenceMs, false));
      else reject(noAnswer(error));
    });
    sent.on('response', resolve);
    sent.end(body);
  });
}

function headers(body: string | undefined, contentType = 'application/json'): Record<string, string> {
  const accept = { accept: 'application/json', 'user-agent': 'rekindle-operator' };
  return body === undefined ? accept : { ...accept, 'content-type': contentType, 'content-length': `${Buffer.byteLength(body)}` };
}

const succeeded = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    }
  } catch (error) {
    throw noAnswer(error);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* splitLines(response: IncomingMessage): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_ANSWER_BYTES) throw new Error('a line without end');
    for (const line of lines) if (line.trim() !== '') yield line;
  }
  // What is left is a line whose end never came: the connection broke in the middle of it.
}

function refusal(response: IncomingMessage, text: string): ApiError {
  const { reason, message } = statusObject(text);
  const status = response.statusCode ?? 0;
  return new ApiError(
    status,
    reason ?? response.statusMessage ?? 'Unknown',
    message ?? text.slice(0, 200),
    retryAfterMs(response),
  );
}

function statusObject(text: string): { readonly reason?: string; readonly message?: string } {
  try {
    const value: unknown = JSON.parse(text);
    return isStatusObject(value) ? value : {};
  } catch {
    return {};
  }
}

const isStatusObject = (value: unknown): value is { reason?: string; message?: string } =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';

/** RFC 9110 §10.2.3; API servers send seconds. */
function retryAfterMs({ headers }: IncomingMessage): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 300) * 1000 : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(0, 'Unintelligible', `the server sent ${text.length} characters that are not JSON`);
  }
}

const noAnswer = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'NoAnswer', messageOf(error));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
