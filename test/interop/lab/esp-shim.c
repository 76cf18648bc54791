/*
 * Preloaded into libreswan's pluto on kernels that have XFRM but no ESP: requests about SAs and policies that the kernel refuses
 * seem to have succeeded. IKE is untouched; no data flows.
 *
 *     gcc -O2 -Wall -shared -fPIC -o esp-shim.so esp-shim.c -ldl
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's answers to SA requests have this form. */
struct sa_message {
	struct nlmsghdr header;
	struct xfrm_usersa_info sa;
};

/* What was asked last: an invented answer repeats whom it was about. */
static struct xfrm_usersa_info asked;

static int is_xfrm(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t length = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) || domain != AF_NETLINK)
		return 0;
	length = sizeof protocol;
	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) && protocol == NETLINK_XFRM;
}

static void remember(int fd, const void *bytes, size_t length)
{
	const struct nlmsghdr *header = bytes;
	if (length < sizeof *header + sizeof asked || !is_xfrm(fd) || header->nlmsg_type != XFRM_MSG_ALLOCSPI)
		return;
	asked = ((const struct xfrm_userspi_info *)NLMSG_DATA(header))->info;
}

/* An SA with an SPI of its own, or with counters of zero. */
static ssize_t invent(void *bytes, size_t capacity, int with_spi)
{
	struct sa_message answer = { .header = *(struct nlmsghdr *)bytes, .sa = asked };
	__u32 spi;
	if (capacity < sizeof answer)
		return -1;
	if (!with_spi)
		memset(&answer.sa, 0, sizeof answer.sa);
	else if (getrandom(&spi, sizeof spi, 0) == sizeof spi)
		answer.sa.id.spi = htonl((spi & 0x7fffffff) | 0x10000);
	answer.header.nlmsg_len = sizeof answer;
	answer.header.nlmsg_type = XFRM_MSG_NEWSA;
	answer.header.nlmsg_flags = 0;
	memcpy(bytes, &answer, sizeof answer);
	return sizeof answer;
}

static ssize_t pretend(int fd, void *bytes, ssize_t length, size_t capacity)
{
	struct nlmsghdr *header = bytes;
	struct nlmsgerr *refusal;
	if (length < (ssize_t)(sizeof *header + sizeof *refusal) || header->nlmsg_type != NLMSG_ERROR || !is_xfrm(fd))
		return length;
	refusal = NLMSG_DATA(header);
	if (refusal->error == 0)
		return length;
	switch (refusal->msg.nlmsg_type) {
	case XFRM_MSG_ALLOCSPI:
		return invent(bytes, capacity, 1);
	case XFRM_MSG_GETSA:
		return invent(bytes, capacity, 0);
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
	case XFRM_MSG_DELSA:
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_MIGRATE:
		refusal->error = 0;
	}
	return length;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length)
{
	remember(fd, bytes, length);
	return REAL(write)(fd, bytes, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	remember(fd, bytes, length);
	return REAL(send)(fd, bytes, length, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size)
{
	remember(fd, bytes, length);
	return REAL(sendto)(fd, bytes, length, flags, to, size);
}

ssize_t read(int fd, void *bytes, size_t capacity)
{
	ssize_t length = REAL(read)(fd, bytes, capacity);
	return length > 0 ? pretend(fd, bytes, length, capacity) : length;
}

ssize_t recv(int fd, void *bytes, size_t capacity, int flags)
{
	ssize_t length = REAL(recv)(fd, bytes, capacity, flags);
	return length > 0 && !(flags & MSG_PEEK) ? pretend(fd, bytes, length, capacity) : length;
}

ssize_t recvfrom(int fd, void *bytes, size_t capacity, int flags, struct sockaddr *from, socklen_t *size)
{
	ssize_t length = REAL(recvfrom)(fd, bytes, capacity, flags, from, size);
	return length > 0 && !(flags & MSG_PEEK) ? pretend(fd, bytes, length, capacity) : length;
}
