/** A queue of a TUN device: an open descriptor, made by whoever may configure the network, read and written by whoever has it. */
import { closeSync, constants, openSync } from 'node:fs';
import type { TunKind, TunSyscalls } from './tun-syscalls.ts';

/** Creates the interface where there is none of this name. @throws Error that names the remedy. */
export function openQueue(syscalls: TunSyscalls, name: string, kind: TunKind, device = '/dev/net/tun'): number {
  if (process.platform !== 'linux') throw new Error(`${device}: TUN devices are supported on Linux only`);
  if (!/^[^\s/]{1,15}$/.test(name))
    throw new Error(`not the name of an interface: "${name}"; write 1 to 15 characters without space and slash`);
  const fd = openDevice(device);
  if (syscalls.attach(fd, name, kind) >= 0) return fd;
  const reason = syscalls.errno();
  closeSync(fd);
  throw new Error(`${device}: cannot create the interface ${name}: ${attachRemedy(reason)}`);
}

function openDevice(device: string): number {
  try {
    return openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`${device}: ${openRemedy(error)}`, { cause: error });
  }
}

function openRemedy(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENODEV':
    case 'ENXIO':
      return 'there is no TUN device; load the kernel module (modprobe tun), in a container mount /dev/net/tun, or run without TUN';
    case 'EACCES':
    case 'EPERM':
      return 'no permission to open it; run as root, in a container allow the device and add the capability NET_ADMIN, or run without TUN';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function attachRemedy(reason: string): string {
  switch (reason) {
    case 'EPERM':
      return 'not permitted; run as root or add the capability NET_ADMIN, or run without TUN';
    case 'EBUSY':
      return 'another program uses an interface of this name; choose another name or end that program';
    case 'EINVAL':
      return 'there is an interface of this name that is no TUN device, or one of another program; choose another name';
    case 'ENOTTY':
      return 'it is no TUN device; the usual one is /dev/net/tun';
    default:
      return reason;
  }
}
