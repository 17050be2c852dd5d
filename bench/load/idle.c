// What sessions hold that do nothing, and what they cost meanwhile.
#include "load.h"
#include <unistd.h>

static void rest(double seconds) { usleep(seconds * 1e6); }

int idle(void) {
  // What is loaded and allocated with the first sessions is not a session's.
  struct session *first = sessions_open(200, targets.echo);
  for (int i = 0; i < 200; i++) session_end(&first[i]);
  rest(0.5);
  struct usage before = usage_of(opt.pid);

  double began = now();
  idle_open(opt.streams);
  double opening = now() - began;
  rest(0.5);
  struct usage during = usage_of(opt.pid);
  rest(opt.hold);
  double cpu = cpu_of(opt.pid) - during.cpu;
  pump(&(struct handlers){0}, now() + 0.1, NULL);  // fails if one of them has ended

  printf("{\"sessions\":%d,\"openedPerSecond\":%.0f,\"baseRss\":%.0f,\"rssPerSession\":%.0f,\"pssPerSession\":%.0f,"
         "\"threads\":%d,\"processes\":%d,\"cpuPerSecond\":%.4f,\"errors\":0}\n",
         opt.streams, opt.streams / opening, before.rss, (during.rss - before.rss) / opt.streams,
         (during.pss - before.pss) / opt.streams, during.threads, during.processes, opt.hold > 0 ? cpu / opt.hold : 0);
  // Who reads this may look at the server before the sessions end.
  fflush(stdout);
  while (opt.wait && getchar() != EOF) continue;
  return 0;
}
