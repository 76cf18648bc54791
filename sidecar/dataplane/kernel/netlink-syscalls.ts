/** The system calls of Linux that a netlink socket takes and Node does not offer, by koffi. */

import type { Bytes } from '../../ike/wire/bytes.ts';
import { errnoName } from '../../process/errno.ts';

export interface NetlinkSyscalls {
  /** A socket that does not block, with a receive buffer of so many bytes, joined to the multicast groups. @throws Error that names the remedy. */
  open(protocol: number, receiveBuffer: number, groups: readonly number[]): number;
  /**
   * From a thread of libuv's pool: the kernel works while it takes the message, and may load modules for it. Answers how much was sent;
   * below 0, nothing. `bytes` must be an ArrayBuffer's own, and left alone until then.
   */
  send(fd: number, bytes: Bytes): Promise<number>;
  sendNow(fd: number, bytes: Bytes): number;
  /** Of the next datagram that the kernel sent: its length, which may exceed `into`. Below 0: see `errno`. */
  receive(fd: number, into: Bytes): number;
  /** Name of the reason, for instance EAGAIN. */
  errno(): string;
  /** Calls back in the event loop whenever something can be read, and holds no thread. */
  watch(fd: number, readable: () => void): { close(): void };
  close(fd: number): void;
}

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** The kernel's answer does not repeat the request, which holds keys. */
const NETLINK_CAP_ACK = 10;
/** The kernel says in words what it does not like. */
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
/** struct sockaddr_nl: family, padding, port (0: the kernel), groups. */
const ADDRESS_BYTES = 12;
const PORT_AT = 4;

/** @throws Error when koffi has no binary for this machine. */
export async function loadNetlinkSyscalls(): Promise<NetlinkSyscalls> {
  const { default: koffi } = await import('koffi');
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
  const bind = libc.func('int bind(int fd, void *address, unsigned int length)');
  const sendto = libc.func('intptr_t sendto(int fd, void *bytes, size_t length, int flags, void *to, unsigned int toLength)');
  const recvfrom = libc.func(
    'intptr_t recvfrom(int fd, _Out_ void *into, size_t length, int flags, _Out_ void *from, _Inout_ unsigned int *fromLength)',
  );
  const close = libc.func('int close(int fd)');
  const kernel = netlinkAddress();
  const sender = new Uint8Array(ADDRESS_BYTES);
  const senderPort = new DataView(sender.buffer);
  const check = (result: number, fd: number): void => {
    if (result >= 0) return;
    const name = errnoName(koffi.errno());
    close(fd);
    throw new Error(
      `a netlink socket cannot be opened: ${name}; the agent needs CAP_NET_ADMIN and a Linux kernel with xfrm_user`,
    );
  };
  const option = (fd: number, level: number, name: number, value: number): number =>
    setsockopt(fd, level, name, Int32Array.of(value), 4);
  return {
    open(protocol, receiveBuffer, groups) {
      const fd = socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, protocol);
      check(fd, fd);
      check(bind(fd, kernel, ADDRESS_BYTES), fd);
      check(option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1), fd);
      check(option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1), fd);
      if (option(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) < 0) option(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer);
      for (const group of groups) check(option(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group), fd);
      return fd;
    },
    send: (fd, bytes) =>
      new Promise((resolve) => {
        sendto.async(fd, bytes, bytes.length, 0, kernel, ADDRESS_BYTES, (error: unknown, sent: number) =>
          resolve(error ? -1 : sent),
        );
      }),
    sendNow: (fd, bytes) => sendto(fd, bytes, bytes.length, MSG_DONTWAIT, kernel, ADDRESS_BYTES),
    receive(fd, into) {
      for (;;) {
        const length = recvfrom(fd, into, into.length, MSG_DONTWAIT | MSG_TRUNC, sender, [ADDRESS_BYTES]);
        // Any process may send to this socket; only the kernel has port 0.
        if (length < 0 || senderPort.getUint32(PORT_AT, true) === 0) return length;
      }
    },
    errno: () => errnoName(koffi.errno()),
    watch: (fd, readable) => koffi.node.poll(fd, { readable: true }, readable),
    close: (fd) => void close(fd),
  };
}

function netlinkAddress(): Bytes {
  const address = new Uint8Array(new ArrayBuffer(ADDRESS_BYTES));
  address[0] = AF_NETLINK;
  return address;
}
