// Datagrams through UDP ASSOCIATE and back, some under way at any time.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 10      // of SOCKS5 over IPv4
#define WINDOW 65536   // sequence numbers that are told apart

static int fd;
static uint64_t sent, returned, lost;
static int under_way;
static double sent_at[WINDOW];  // 0: not under way

static void throw(void) {
  static uint8_t datagram[HEADER + 65536];
  struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
  uint16_t port = htons(targets.datagrams);
  uint64_t number = sent++;
  memcpy(datagram, "\0\0\0\1", 4);
  memcpy(datagram + 4, &loopback, 4);
  memcpy(datagram + 8, &port, 2);
  memcpy(datagram + HEADER, &number, sizeof number);
  size_t rest = opt.size - sizeof number;
  memcpy(datagram + HEADER + sizeof number, pattern + number % (PATTERN / 2), rest);
  sent_at[number % WINDOW] = now();
  under_way++;
  if (send(fd, datagram, HEADER + opt.size, 0) < 0) fail("a datagram");
}

static bool catch(void) {
  uint8_t datagram[HEADER + 65536];
  ssize_t got = recv(fd, datagram, sizeof datagram, MSG_DONTWAIT);
  if (got < 0) {
    if (errno == EAGAIN) return false;
    fail("the proxy's datagrams");
  }
  uint64_t number;
  memcpy(&number, datagram + HEADER, sizeof number);
  bool whole = got == HEADER + opt.size && number < sent &&
               (!opt.verify || memcmp(datagram + HEADER + sizeof number, pattern + number % (PATTERN / 2),
                                      opt.size - sizeof number) == 0);
  if (!whole) {
    targets.counters->faults++;
    return true;
  }
  double *began = &sent_at[number % WINDOW];
  if (*began == 0) return true;  // counted as lost, and came after all
  latency_add(now() - *began);
  *began = 0;
  returned++, under_way--;
  return true;
}

static void exchange(double until) {
  while (now() < until) {
    while (under_way < opt.streams) throw();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    // Nothing for so long on the loopback interface: what is under way never comes.
    if (poll(&ready, 1, 1000) == 0) {
      lost += under_way, under_way = 0;
      memset(sent_at, 0, sizeof sent_at);
    }
    while (catch()) continue;
  }
}

static void ignore(struct session *s) { (void)s; }
static void ended(struct session *s) {
  (void)s;
  fail("ASSOCIATE was refused");
}
static void early(struct session *s, uint32_t events) { (void)events, ended(s); }
static struct session control;
static bool associated(void) { return control.stage == OPEN; }

int udp(void) {
  session_begin(&control, 0);
  control.command = 3;
  control.target.sin_addr.s_addr = 0;
  pump(&(struct handlers){ignore, early, ended}, now() + 10, associated);
  if (!associated()) ended(NULL);
  if (control.bound.sin_addr.s_addr == 0) control.bound.sin_addr = opt.proxy.sin_addr;
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (void *)&control.bound, sizeof control.bound) < 0) fail("the relay's port");

  exchange(now() + 0.5);
  latency_reset();
  uint64_t before = returned, lost_before = lost;
  double cpu = cpu_of(opt.pid), began = now();
  exchange(began + opt.seconds);
  double elapsed = now() - began;
  cpu = cpu_of(opt.pid) - cpu;
  // Each that returned went through the proxy twice.
  uint64_t count = 2 * (returned - before);
  if (count == 0) nothing();
  printf("{\"datagrams\":%llu,\"seconds\":%.3f,\"cpu\":%.2f,\"perSecond\":%.0f,\"cpuUs\":%.3f,\"lost\":%llu,"
         "\"p50Us\":%.0f,\"p99Us\":%.0f,\"errors\":0}\n",
         (unsigned long long)count, elapsed, cpu, count / elapsed, cpu / count * 1e6,
         (unsigned long long)(lost - lost_before), latency_percentile(50), latency_percentile(99));
  return 0;
}
