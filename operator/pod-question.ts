/** Asks a pod over HTTP, as a kubelet's probes and the operator's questions for /status do. */
import { get } from 'node:http';

const MAX_BYTES = 256 * 1024;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** undefined when nobody answers in time, or with too much. */
export function ask(address: string, port: number, path: string, timeoutMs: number): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const options = { host: address, port, path, agent: false as const, signal: AbortSignal.timeout(timeoutMs) };
    const request = get(options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_BYTES) request.destroy(new Error('too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}
