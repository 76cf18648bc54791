/** What the operator of a machine should know about the sockets that we got. */
import type { Log } from '../process/log.ts';
import type { Udp } from './udp.ts';

export function reportUdp(udp: Udp, log: Log): void {
  const { receive, send, wanted } = udp.buffers();
  for (const { local, nat } of udp.locals) log.info({ local, port: nat ? 'nat' : 'ike' }, 'listening');
  log.info({ receiveBytes: receive, sendBytes: send, wantedBytes: wanted }, 'socket buffers');
  if (receive < wanted) {
    log.warn(
      { receiveBytes: receive, wantedBytes: wanted },
      `bursts may be lost: set the sysctl net.core.rmem_max to ${wanted} or more`,
    );
  }
}
