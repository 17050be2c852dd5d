// Sessions that come, say one thing, hear it back, and go.
#include "load.h"
#include <errno.h>
#include <sys/socket.h>

static uint64_t done, errors, goal;
static bool closing;

static void opened(struct session *s) {
  if (send(s->fd, pattern, opt.size, MSG_NOSIGNAL) != opt.size) targets.counters->faults++;
}
static void failed(struct session *s) {
  errors++;
  if (!closing && errors < 1000) session_begin(s, targets.echo);
}
static void ready(struct session *s, uint32_t events) {
  (void)events;
  static uint8_t buffer[65536];
  ssize_t got = recv(s->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    session_end(s);
    failed(s);
    return;
  }
  if (opt.verify && !pattern_matches(buffer, got, s->received)) targets.counters->faults++;
  s->received += got;
  if (s->received < (uint64_t)opt.size) return;
  latency_add(now() - s->began);
  session_end(s);
  done++;
  if (!closing) session_begin(s, targets.echo);
}
static bool reached(void) { return done >= goal || errors >= 1000; }
static bool hopeless(void) { return errors >= 1000; }

int rate(void) {
  struct session *all = calloc(opt.streams, sizeof *all);
  const struct handlers handlers = {opened, ready, failed};
  double first_cpu = 0, cpu = cpu_of(opt.pid), began = now();
  for (int i = 0; i < opt.streams; i++) session_begin(&all[i], targets.echo);
  if (opt.first > 0) {
    goal = opt.first;
    pump(&handlers, began + 60, reached);
    first_cpu = (cpu_of(opt.pid) - cpu) / done;
  }

  uint64_t before = done;
  latency_reset();
  struct times from = times_of(opt.pid);
  began = now();
  goal = before + opt.total;
  if (opt.total > 0) pump(&handlers, began + 600, reached);
  else pump(&handlers, began + opt.seconds, hopeless);
  double elapsed = now() - began;
  struct times to = times_of(opt.pid);
  double user = to.user - from.user, system = to.system - from.system;
  uint64_t count = done - before;
  closing = true;
  pump(&handlers, now() + 0.2, NULL);
  struct usage after = usage_of(opt.pid);
  if (count == 0) nothing();
  printf("{\"sessions\":%llu,\"seconds\":%.3f,\"cpu\":%.2f,\"perSecond\":%.1f,\"cpuUs\":%.2f,"
         "\"userUs\":%.2f,\"systemUs\":%.2f,\"firstCpuUs\":%.2f,"
         "\"p50Us\":%.0f,\"p99Us\":%.0f,\"rssAfter\":%.0f,\"pssAfter\":%.0f,\"errors\":%llu}\n",
         (unsigned long long)count, elapsed, user + system, count / elapsed, (user + system) / count * 1e6,
         user / count * 1e6, system / count * 1e6, first_cpu * 1e6, latency_percentile(50), latency_percentile(99),
         after.rss, after.pss, (unsigned long long)errors);
  return 0;
}
