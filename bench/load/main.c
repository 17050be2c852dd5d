// Loads a SOCKS5 server on this machine and prints, as one JSON object, what it
// did and what that cost it: load MODE --proxy PORT --pid PID [OPTION VALUE]...
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options opt = {.streams = 16, .size = 64, .seconds = 2};

static const struct {
  const char *name;
  int (*run)(void);
} modes[] = {{"bulk", bulk}, {"rate", rate}, {"pingpong", pingpong}, {"idle", idle}, {"udp", udp}, {"cost", cost}};

_Noreturn void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

_Noreturn void nothing(void) {
  fprintf(stderr, "nothing came through the server\n");
  exit(1);
}

double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void stay_on(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) fail("that core");
}

static _Noreturn void misused(const char *argument) {
  fprintf(stderr, "load does not understand %s\n", argument);
  exit(2);
}

static void read_options(int count, char **arguments) {
  opt.proxy = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (count < 2) misused("nothing");
  opt.mode = arguments[1];
  for (int i = 2; i < count; i++) {
    const char *name = arguments[i];
    if (strcmp(name, "--up") == 0) opt.up = true;
    else if (strcmp(name, "--verify") == 0) opt.verify = true;
    else if (strcmp(name, "--wait") == 0) opt.wait = true;
    else {
      if (++i == count) misused(name);
      const char *value = arguments[i];
      if (strcmp(name, "--proxy") == 0) opt.proxy.sin_port = htons(atoi(value));
      else if (strcmp(name, "--pid") == 0) opt.pid = atoi(value);
      else if (strcmp(name, "--core") == 0) stay_on(atoi(value));
      else if (strcmp(name, "--streams") == 0) opt.streams = atoi(value);
      else if (strcmp(name, "--first") == 0) opt.first = atoi(value);
      else if (strcmp(name, "--total") == 0) opt.total = atoi(value);
      else if (strcmp(name, "--size") == 0) opt.size = atoi(value);
      else if (strcmp(name, "--seconds") == 0) opt.seconds = atof(value);
      else if (strcmp(name, "--hold") == 0) opt.hold = atof(value);
      else if (strcmp(name, "--users") == 0) opt.users = atoi(value);
      else misused(name);
    }
  }
  bool isUsable = opt.proxy.sin_port && opt.pid > 0 && opt.streams > 0 && opt.size >= 8 && opt.size <= 65000;
  if (!isUsable) misused("these values");
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  pattern_fill();
  targets_start();
  poller = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(opt.mode, modes[i].name) != 0) continue;
    int code = modes[i].run();
    fflush(stdout);
    if (targets.counters->faults == 0) return code;
    fprintf(stderr, "%llu times bytes came back wrong\n", (unsigned long long)targets.counters->faults);
    return 3;
  }
  misused(opt.mode);
}
