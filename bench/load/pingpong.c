// Small messages back and forth, one under way in each of some sessions.
#include "load.h"
#include <errno.h>
#include <sys/socket.h>

static uint64_t trips;

static void serve(struct session *s) {
  s->began = now();
  size_t offset = s->sent % (PATTERN / 2);
  if (send(s->fd, pattern + offset, opt.size, MSG_NOSIGNAL) != opt.size) fail("a message");
  s->sent += opt.size;
}
static void lost(struct session *s) {
  (void)s;
  fail("a session ended");
}
static void ready(struct session *s, uint32_t events) {
  (void)events;
  static uint8_t buffer[65536];
  ssize_t got = recv(s->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) lost(s);
  uint64_t message = s->sent - opt.size, within = s->received - message;
  if (opt.verify && !pattern_matches(buffer, got, message % (PATTERN / 2) + within)) targets.counters->faults++;
  s->received += got;
  if (s->received < s->sent) return;
  latency_add(now() - s->began);
  trips++;
  serve(s);
}

int pingpong(void) {
  struct session *all = sessions_open(opt.streams, targets.echo);
  for (int i = 0; i < opt.streams; i++) {
    session_watch(&all[i], EPOLLIN);
    serve(&all[i]);
  }
  const struct handlers handlers = {serve, ready, lost};
  pump(&handlers, now() + 0.5, NULL);

  latency_reset();
  uint64_t before = trips;
  double cpu = cpu_of(opt.pid), began = now();
  pump(&handlers, began + opt.seconds, NULL);
  double elapsed = now() - began;
  cpu = cpu_of(opt.pid) - cpu;
  uint64_t count = trips - before;
  if (count == 0) nothing();
  printf("{\"trips\":%llu,\"seconds\":%.3f,\"cpu\":%.2f,\"perSecond\":%.1f,\"cpuUs\":%.3f,\"p50Us\":%.0f,"
         "\"p99Us\":%.0f,\"errors\":0}\n",
         (unsigned long long)count, elapsed, cpu, count / elapsed, cpu / count * 1e6, latency_percentile(50),
         latency_percentile(99));
  return 0;
}
