/** Where a session begins: the gateway's address, a socket towards it, and what is to be said over it. */
import { formatEndpoint } from '../shell/endpoint.ts';
import { connectionOf } from './options.ts';
import { Session } from './session.ts';
import type { SessionRequest } from './session-request.ts';

/** @throws Error when the gateway's name, the source address or the route is not to be had. */
export async function openSession(request: SessionRequest): Promise<Session> {
  const { options, ports, not, entry } = request;
  const { gateway, source } = options;
  const address = await ports.resolve(gateway.host, source);
  const nat = formatEndpoint(address, gateway.natPort);
  const remote = { nat, first: entry === 'nat' ? nat : formatEndpoint(address, gateway.ikePort) };
  let session: Session | undefined;
  const socket = await ports.openSocket({
    ...{ source, not, natPort: gateway.natPort, towards: { address, port: gateway.ikePort } },
    onIke: (bytes, path) => session?.receiveIke(bytes, path),
    onEsp: (bytes, path) => session?.receiveEsp(bytes, path),
  });
  const connection = connectionOf(options, gateway.host, socket.local, remote);
  const redirects = connection.redirects && { from: request.redirectedFrom };
  session = new Session(request, socket, { ...connection, redirects });
  return session;
}
