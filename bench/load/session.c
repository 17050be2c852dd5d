// A SOCKS5 session as a client has it: one request at a time, each answer read to
// its last byte and no further, so that what follows is the target's.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool say(const struct session *s, const void *bytes, size_t length) {
  return send(s->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/** Whether `length` bytes of an answer are here: 1, not yet 0, or never -1. */
static int heard(struct session *s, size_t length) {
  if (s->have < length) {
    ssize_t got = recv(s->fd, s->in + s->have, length - s->have, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) return -1;
    s->have += got;
  }
  return s->have == length;
}

static bool greet(struct session *s) {
  s->stage = METHOD;
  return say(s, opt.users > 0 ? "\5\1\2" : "\5\1\0", 3);
}

static bool ask(struct session *s) {
  uint8_t request[10] = {5, s->command, 0, 1};
  memcpy(request + 4, &s->target.sin_addr, 4);
  memcpy(request + 8, &s->target.sin_port, 2);
  s->stage = REPLY, s->have = 0;
  return say(s, request, sizeof request);
}

static bool log_in(struct session *s) {
  static unsigned turn;
  int number = turn++ % opt.users;
  char user[32], password[32], message[3 + sizeof user + sizeof password];
  int user_length = snprintf(user, sizeof user, "user%d", number);
  int password_length = snprintf(password, sizeof password, "password%d", number);
  int length = sprintf(message, "\1%c%s%c%s", user_length, user, password_length, password);
  s->stage = PASSWORD, s->have = 0;
  return say(s, message, length);
}

static bool read_reply(struct session *s) {
  int here = s->have < 5 ? heard(s, 5) : 1;
  if (here <= 0) return here == 0;
  size_t address = s->in[3] == 1 ? 4 : s->in[3] == 4 ? 16 : 1 + s->in[4];
  here = heard(s, 4 + address + 2);
  if (here <= 0) return here == 0;
  if (s->in[1] != 0) return false;
  if (s->in[3] == 1) {
    s->bound = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&s->bound.sin_addr, s->in + 4, 4);
    memcpy(&s->bound.sin_port, s->in + 8, 2);
  }
  s->stage = OPEN;
  return true;
}

void session_begin(struct session *s, uint16_t port) {
  static unsigned turn;
  bool was_idle = s->idle;
  *s = (struct session){.began = now(), .idle = was_idle, .command = 1, .stage = CONNECTING};
  s->target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  s->target.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (port == targets.echo ? turn++ % SPREAD : 0));
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->fd < 0) fail("socket");
  int on = 1;
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = s};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &event) < 0) fail("epoll_ctl");
  if (connect(s->fd, (void *)&opt.proxy, sizeof opt.proxy) < 0 && errno != EINPROGRESS) fail("connect");
}

bool session_step(struct session *s) {
  if (s->stage == CONNECTING) {
    session_watch(s, EPOLLIN);
    return greet(s);
  }
  if (s->stage == REPLY) return read_reply(s);
  int here = heard(s, 2);
  if (here <= 0) return here == 0;
  if (s->stage == PASSWORD) return s->in[1] == 0 && ask(s);
  if (s->in[1] == 2 && opt.users > 0) return log_in(s);
  return s->in[1] == 0 && ask(s);
}

void session_end(struct session *s) {
  close(s->fd);
  s->stage = CLOSED;
}

void session_watch(struct session *s, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = s};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &event) < 0) fail("epoll_ctl");
}
