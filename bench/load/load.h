// What the parts of the load generator share.
#ifndef LOAD_H
#define LOAD_H

#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/types.h>

// ---- options (main.c)

struct options {
  const char *mode;
  struct sockaddr_in proxy;
  int users;                    // that log in by turns: user0 with password0, and so on
  pid_t pid;                    // of the server, whose tree of processes is measured
  int streams;                  // sessions at once
  int first;                    // rate: sessions counted apart, at the beginning
  int total;                    // rate: stop after so many instead of after `seconds`
  int size;                     // bytes of a message or of a datagram
  double seconds, hold;
  bool up, verify;
  bool wait;  // idle: keep the sessions until standard input ends
};
extern struct options opt;

_Noreturn void fail(const char *what);  // prints it with errno, exit code 1
_Noreturn void nothing(void);           // says that nothing came through, exit code 1
double now(void);                       // seconds, monotonic

// ---- the stream of bytes that is sent (pattern.c)

#define PATTERN (1 << 20)  // byte i of a stream is pattern[i % PATTERN]
extern uint8_t pattern[PATTERN];
void pattern_fill(void);
bool pattern_matches(const uint8_t *bytes, size_t length, uint64_t at);

// ---- who is at the other end (targets.c)

// The echo target listens on this many loopback addresses, from 127.0.0.1 on, so
// that the proxy does not run out of ports towards one of them.
#define SPREAD 16

struct counters {           // shared between both processes
  _Atomic uint64_t sunk;    // bytes that arrived at the sink
  _Atomic uint64_t faults;  // wrong bytes, and writes that did not fit
};
struct targets {
  uint16_t echo, source, sink, datagrams;  // ports
  struct counters *counters;
  pid_t pid;
};
extern struct targets targets;
void targets_start(void);

// ---- a client's session with the proxy (session.c)

enum stage { CLOSED, CONNECTING, METHOD, PASSWORD, REPLY, OPEN };
struct session {
  int fd;
  enum stage stage;
  uint8_t command;
  struct sockaddr_in target, bound;  // asked for; said in the reply
  uint8_t in[262];
  size_t have;
  uint64_t sent, received;
  double began;
  bool idle;
};
extern int poller;  // the epoll descriptor
void session_begin(struct session *, uint16_t port);
bool session_step(struct session *);  // false if it failed
void session_end(struct session *);
void session_watch(struct session *, uint32_t events);

// ---- many of them (pump.c)

struct handlers {
  void (*opened)(struct session *);
  void (*ready)(struct session *, uint32_t events);
  void (*failed)(struct session *);  // it is closed by then
};
void pump(const struct handlers *, double until, bool (*enough)(void));
struct session *sessions_open(int count, uint16_t port);  // all of them, or the program ends
void idle_open(int count);  // sessions that have said one byte, and from then on nothing

// ---- what the server costs (process.c)

struct times {
  double user, system;  // seconds, of all processes together, those that ended included
};
struct usage {
  double cpu;       // both of these times
  double rss, pss;  // bytes; pss counts a page that several share once
  int processes, threads;
};
struct usage usage_of(pid_t);
struct times times_of(pid_t);
double cpu_of(pid_t);

// ---- times (latency.c)

void latency_reset(void);
void latency_add(double seconds);
double latency_percentile(double percent);  // microseconds

// ---- modes

int bulk(void);
int rate(void);
int pingpong(void);
int idle(void);
int udp(void);
int cost(void);

#endif
