// The bytes that are sent: random enough to show a byte that is lost, doubled or
// out of place.
#include "load.h"
#include <string.h>

uint8_t pattern[PATTERN];

void pattern_fill(void) {
  uint32_t x = 2463534242;
  for (size_t i = 0; i < PATTERN; i++) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    pattern[i] = x >> 24;
  }
}

bool pattern_matches(const uint8_t *bytes, size_t length, uint64_t at) {
  while (length > 0) {
    size_t offset = at % PATTERN;
    size_t part = PATTERN - offset < length ? PATTERN - offset : length;
    if (memcmp(bytes, pattern + offset, part) != 0) return false;
    bytes += part, at += part, length -= part;
  }
  return true;
}
