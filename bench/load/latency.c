// Times, counted in steps of a microsecond up to one second.
#include "load.h"
#include <string.h>

#define STEPS 1000000
static uint32_t counts[STEPS];
static uint64_t total;

void latency_reset(void) {
  memset(counts, 0, sizeof counts);
  total = 0;
}

void latency_add(double seconds) {
  double us = seconds * 1e6;
  counts[us < STEPS - 1 ? (int)us : STEPS - 1]++;
  total++;
}

double latency_percentile(double percent) {
  uint64_t seen = 0;
  for (int us = 0; us < STEPS; us++) {
    seen += counts[us];
    if (total > 0 && seen >= total * percent / 100) return us;
  }
  return 0;
}
