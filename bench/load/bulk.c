// Bytes as fast as they go, through a few sessions, one way.
#include "load.h"
#include <errno.h>
#include <sys/socket.h>

#define PART (256 << 10)

static uint64_t received;
static int ended;

static void ready(struct session *s, uint32_t events) {
  static uint8_t buffer[PART];
  if (opt.up && (events & EPOLLOUT)) {
    size_t offset = s->sent % PATTERN;
    size_t length = PATTERN - offset < PART ? PATTERN - offset : PART;
    ssize_t sent = send(s->fd, pattern + offset, length, MSG_NOSIGNAL);
    if (sent > 0) s->sent += sent;
    if (sent > 0 || errno == EAGAIN) return;
  }
  ssize_t got = recv(s->fd, buffer, PART, opt.verify ? 0 : MSG_TRUNC);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    ended++;
    session_end(s);
    return;
  }
  if (opt.verify && !pattern_matches(buffer, got, s->received)) targets.counters->faults++;
  s->received += got;
  received += got;
}
static void none(struct session *s) { (void)s; }

int bulk(void) {
  struct session *all = sessions_open(opt.streams, opt.up ? targets.sink : targets.source);
  for (int i = 0; i < opt.streams; i++) session_watch(&all[i], opt.up ? EPOLLIN | EPOLLOUT : EPOLLIN);
  const struct handlers handlers = {none, ready, none};
  pump(&handlers, now() + 0.5, NULL);  // windows grow, code warms up

  uint64_t bytes = opt.up ? targets.counters->sunk : received;
  double cpu = cpu_of(opt.pid), began = now();
  pump(&handlers, began + opt.seconds, NULL);
  double elapsed = now() - began;
  bytes = (opt.up ? targets.counters->sunk : received) - bytes;
  cpu = cpu_of(opt.pid) - cpu;
  if (bytes == 0) nothing();
  printf("{\"bytes\":%llu,\"seconds\":%.3f,\"cpu\":%.2f,\"mbPerSecond\":%.1f,\"cpuPerGib\":%.4f,\"errors\":%d}\n",
         (unsigned long long)bytes, elapsed, cpu, bytes / elapsed / 1e6, cpu / bytes * (1 << 30), ended);
  return 0;
}
