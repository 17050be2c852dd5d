// Where sessions lead: an echo, an endless source, a sink, and an echo of
// datagrams; a process of its own, on the loopback interface.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART (256 << 10)  // bytes handled before another connection has its turn

enum role { ECHO, SOURCE, SINK, DATAGRAMS };
struct end {
  int fd;
  enum role role;
  bool listens;
  uint64_t moved;
};

struct targets targets;
static int poll_fd;

static struct end *watch(int fd, enum role role, bool listens) {
  struct end *end = calloc(1, sizeof *end);
  if (!end) fail("memory");
  *end = (struct end){.fd = fd, .role = role, .listens = listens};
  struct epoll_event event = {.events = role == SOURCE && !listens ? EPOLLOUT : EPOLLIN, .data.ptr = end};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  return end;
}

/** @returns the port, or 0 if this one is taken. */
static uint16_t offer(enum role role, int last_byte, uint16_t port) {
  int fd = socket(AF_INET, (role == DATAGRAMS ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + last_byte);
  socklen_t length = sizeof address;
  if (fd < 0) fail("socket");
  if (bind(fd, (void *)&address, sizeof address) < 0) {
    close(fd);
    return 0;
  }
  if (role != DATAGRAMS && listen(fd, 4096) < 0) fail("listen");
  if (getsockname(fd, (void *)&address, &length) < 0) fail("getsockname");
  watch(fd, role, true);
  return ntohs(address.sin_port);
}

static void take(const struct end *listener) {
  for (int fd; (fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(fd, listener->role, false);
  }
  if (errno != EAGAIN && errno != ECONNABORTED) fail("accept");
}

/** @returns 0 at the end of the stream, less on an error. */
static ssize_t serve(struct end *end) {
  static uint8_t buffer[PART];
  if (end->role == SOURCE) {
    size_t offset = end->moved % PATTERN;
    ssize_t sent = send(end->fd, pattern + offset, PATTERN - offset < PART ? PATTERN - offset : PART, MSG_NOSIGNAL);
    if (sent > 0) end->moved += sent;
    return sent;
  }
  bool discards = end->role == SINK && !opt.verify;
  ssize_t got = recv(end->fd, buffer, PART, discards ? MSG_TRUNC : 0);
  if (got <= 0) return got;
  if (end->role == ECHO) {
    // Messages are small: one that does not fit at once is a fault.
    if (send(end->fd, buffer, got, MSG_NOSIGNAL) != got) targets.counters->faults++;
    return got;
  }
  if (opt.verify && !pattern_matches(buffer, got, end->moved)) targets.counters->faults++;
  end->moved += got;
  targets.counters->sunk += got;
  return got;
}

static void return_datagrams(const struct end *end) {
  static uint8_t buffer[65536];
  struct sockaddr_in from;
  for (int turns = 0; turns < 64; turns++) {
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(end->fd, buffer, sizeof buffer, 0, (void *)&from, &length);
    if (got < 0) return;
    sendto(end->fd, buffer, got, 0, (void *)&from, length);
  }
}

static _Noreturn void run(void) {
  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct end *end = events[i].data.ptr;
      if (end->role == DATAGRAMS) return_datagrams(end);
      else if (end->listens) take(end);
      else {
        ssize_t moved = serve(end);
        if (moved > 0 || (moved < 0 && errno == EAGAIN)) continue;
        close(end->fd);
        free(end);
      }
    }
  }
}

/** One port on each of its addresses: a client may have that of the first on another, so tries some. */
static bool offer_echo(void) {
  for (int tries = 0; tries < 100; tries++) {
    // Listeners of a try that failed stay: nobody is told of them.
    targets.echo = offer(ECHO, 0, 0);
    int count = 1;
    while (count < SPREAD && targets.echo && offer(ECHO, count, targets.echo)) count++;
    if (count == SPREAD) return true;
  }
  return false;
}

void targets_start(void) {
  targets.counters = mmap(NULL, sizeof *targets.counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (targets.counters == MAP_FAILED) fail("mmap");
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  targets.source = offer(SOURCE, 0, 0);
  targets.sink = offer(SINK, 0, 0);
  targets.datagrams = offer(DATAGRAMS, 0, 0);
  if (!targets.source || !targets.sink || !targets.datagrams || !offer_echo()) fail("the targets' ports");
  targets.pid = fork();
  if (targets.pid < 0) fail("fork");
  if (targets.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run();
  }
  close(poll_fd);
}
