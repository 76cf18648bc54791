/*
 * Preloaded into user-mode Linux, whose 6.1 kernel dies on newer processors with "ptrace set fp regs failed, errno = 14".
 *
 * It keeps the floating-point registers of its processes in a fixed number of bytes, smaller than the XSAVE area of a processor with
 * AMX. Reading a part of the area is allowed (PTRACE_GETREGSET), writing a part is not: the host's kernel answers EFAULT. So the whole
 * area is written here, with the part that user-mode Linux knows replaced, and the rest as it was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/elf.h, which does not go along with sys/ptrace.h everywhere. */
#define NT_X86_XSTATE 0x202
/* AMX needs 11 008 bytes; user-mode Linux asks from one thread only. */
#define LARGEST_AREA (1 << 16)

static char area[LARGEST_AREA];

static long request_of_kernel(long request, long pid, void *address, void *data) {
  return syscall(SYS_ptrace, request, pid, address, data);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static long read_part(long pid, struct iovec *part) {
  struct iovec whole = {area, sizeof area};
  long result = request_of_kernel(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
  if (result < 0) return result;
  part->iov_len = smaller(part->iov_len, whole.iov_len);
  memcpy(part->iov_base, area, part->iov_len);
  return result;
}

static long write_part(long pid, const struct iovec *part) {
  struct iovec whole = {area, sizeof area};
  long result = request_of_kernel(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
  if (result < 0) return result;
  memcpy(area, part->iov_base, smaller(part->iov_len, whole.iov_len));
  return request_of_kernel(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

/* ptrace(2), notes: the wrapper of the C library answers the word that was read, the system call writes it to where data points. */
static long read_word(long request, long pid, void *address) {
  long word;
  long result = request_of_kernel(request, pid, address, &word);
  if (result < 0) return result;
  errno = 0;
  return word;
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  long pid = va_arg(arguments, long);
  void *address = va_arg(arguments, void *);
  void *data = va_arg(arguments, void *);
  va_end(arguments);
  pid = (pid_t)pid;
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER)
    return read_word(request, pid, address);
  if (address == (void *)NT_X86_XSTATE && request == PTRACE_GETREGSET) return read_part(pid, data);
  if (address == (void *)NT_X86_XSTATE && request == PTRACE_SETREGSET) return write_part(pid, data);
  return request_of_kernel(request, pid, address, data);
}
