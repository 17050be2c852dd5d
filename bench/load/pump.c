// Lets many sessions make progress, and opens them.
#include "load.h"
#include <string.h>
#include <sys/socket.h>

int poller;

void pump(const struct handlers *handlers, double until, bool (*enough)(void)) {
  struct epoll_event events[256];
  for (;;) {
    double left = until - now();
    if (left <= 0 || (enough && enough())) return;
    int count = epoll_wait(poller, events, 256, left * 1000 + 1);
    for (int i = 0; i < count; i++) {
      struct session *s = events[i].data.ptr;
      if (s->stage == CLOSED) continue;
      if (s->stage == OPEN) {
        if (s->idle) fail("an idle session ended");
        handlers->ready(s, events[i].events);
        continue;
      }
      if (!session_step(s)) {
        session_end(s);
        handlers->failed(s);
      } else if (s->stage == OPEN) handlers->opened(s);
    }
  }
}

// ---- opening a number of them before anything is measured

#define AT_ONCE 64  // more would be a test of the listen queue
static struct session *opening;
static int wanted, begun, opened;
static uint16_t towards;

static void next(void) {
  if (begun < wanted) session_begin(&opening[begun++], towards);
}
static void one_opened(struct session *s) {
  (void)s;
  opened++;
  next();
}
static void not_opened(struct session *s) {
  (void)s;
  fprintf(stderr, "the server refused session %d of %d\n", opened + 1, wanted);
  exit(1);
}
static void early(struct session *s, uint32_t events) {
  (void)events;
  // Bytes of a source wait; other events of a session that is open are too early.
  session_watch(s, 0);
}
static bool all_opened(void) { return opened == wanted; }

struct session *sessions_open(int count, uint16_t port) {
  opening = calloc(count, sizeof *opening);
  if (!opening) fail("memory");
  wanted = count, begun = opened = 0, towards = port;
  while (begun < count && begun < AT_ONCE) next();
  pump(&(struct handlers){one_opened, early, not_opened}, now() + 120, all_opened);
  if (opened < wanted) not_opened(NULL);
  return opening;
}

static int answered;
static void speak(struct session *s) {
  if (send(s->fd, pattern, 1, MSG_NOSIGNAL) != 1) fail("an idle session");
}
static void answer(struct session *s, uint32_t events) {
  (void)events;
  uint8_t byte;
  if (recv(s->fd, &byte, 1, 0) != 1 || byte != pattern[0]) fail("an idle session");
  s->idle = true;
  answered++;
  next();
}
static bool all_answered(void) { return answered == wanted; }

void idle_open(int count) {
  opening = calloc(count, sizeof *opening);
  if (!opening) fail("memory");
  wanted = count, begun = answered = opened = 0, towards = targets.echo;
  while (begun < count && begun < AT_ONCE) next();
  pump(&(struct handlers){speak, answer, not_opened}, now() + 120, all_answered);
  if (answered < wanted) not_opened(NULL);
}
