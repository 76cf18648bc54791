/** A UDP socket that leaves ESP to the kernel (RFC 3948 §2): what begins with a zero SPI, or is a keepalive, still comes to its reader. */

import { errnoName } from '../process/errno.ts';

/** Answers nothing; to be called once for a socket, before it is used. @throws Error that names the remedy. */
export type LeaveEspToKernel = (fd: number) => void;

const SOL_UDP = 17;
const UDP_ENCAP = 100;
const UDP_ENCAP_ESPINUDP = 2;

/** Takes no capability. @throws Error when koffi has no binary for this machine. */
export async function loadEspInUdp(): Promise<LeaveEspToKernel> {
  const { default: koffi } = await import('koffi');
  const setsockopt = koffi.load(null).func('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
  return (fd) => {
    if (setsockopt(fd, SOL_UDP, UDP_ENCAP, Int32Array.of(UDP_ENCAP_ESPINUDP), 4) === 0) return;
    const name = errnoName(koffi.errno());
    throw new Error(
      `the kernel does not take ESP out of UDP (UDP_ENCAP: ${name}); it needs CONFIG_XFRM (module xfrm_user), or the user-space data plane (dataplane: userspace)`,
    );
  };
}
