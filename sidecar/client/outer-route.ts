/** The way to the gateway itself must stay outside the tunnel when the tunnel carries its address too, above all with a default route. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { overlap, parseAddress, parsePrefix } from '../contract/address.ts';

const run = promisify(execFile);

export interface OuterRoute {
  remove(): Promise<void>;
}

/** Pins the present route to the gateway, if one of the prefixes holds it. @throws Error that names the command. */
export async function pinOuterRoute(gateway: string, routes: readonly string[]): Promise<OuterRoute | undefined> {
  const host = `${gateway}/${(parseAddress(gateway)?.length ?? 4) * 8}`;
  if (!routes.some((route) => holds(route, host))) return undefined;
  const hop = nextHop(await ip('route', 'get', gateway));
  if (hop === undefined) return undefined;
  await ip('route', 'replace', host, ...hop);
  return { remove: async () => void (await ip('route', 'del', host, ...hop)) };
}

/** A default route in halves is preferred to the one that is there, and leaves it as it is. */
export const withoutDefault = (route: string): string[] => {
  if (route === '0.0.0.0/0') return ['0.0.0.0/1', '128.0.0.0/1'];
  return route === '::/0' ? ['::/1', '8000::/1'] : [route];
};

/** `via …, dev …` of what `ip route get` prints; undefined when the gateway is on this machine. */
export function nextHop(text: string): string[] | undefined {
  if (/^(local|broadcast) /.test(text)) return undefined;
  const [, via] = / via (\S+)/.exec(text) ?? [];
  const [, dev] = / dev (\S+)/.exec(text) ?? [];
  if (dev === undefined || dev === 'lo') return undefined;
  return [...(via === undefined ? [] : ['via', via]), 'dev', dev];
}

function holds(route: string, host: string): boolean {
  const [outer, inner] = [parsePrefix(route), parsePrefix(host)];
  return outer !== undefined && inner !== undefined && overlap(outer, inner);
}

async function ip(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('ip', args);
    return stdout;
  } catch (cause) {
    throw new Error(`ip ${args.join(' ')}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
