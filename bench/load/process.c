// What a process and all that descend from it cost, as /proc tells.
#include "load.h"
#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

struct process {
  pid_t pid, parent;
  double ticks;
  int threads;
  bool counted;
};

static bool read_process(pid_t pid, struct process *process) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  // The name is in parentheses and may hold anything.
  const char *rest = strrchr(text, ')');
  unsigned long own_user, own_system;
  long ended_user, ended_system, threads;
  if (!rest || sscanf(rest + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %ld",
                      &process->parent, &own_user, &own_system, &ended_user, &ended_system, &threads) != 6)
    return false;
  process->pid = pid;
  // Children that have ended live on in these two sums of their parent.
  process->ticks = (double)own_user + own_system + ended_user + ended_system;
  process->threads = threads;
  process->counted = false;
  return true;
}

static void read_memory(pid_t pid, struct usage *usage) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE *file = fopen(path, "r");
  if (!file) return;
  double kib;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "Rss: %lf", &kib) == 1) usage->rss += kib * 1024;
    if (sscanf(line, "Pss: %lf", &kib) == 1) usage->pss += kib * 1024;
  }
  fclose(file);
}

static struct usage sum(pid_t root, bool memory) {
  static struct process all[65536];
  int count = 0;
  DIR *proc = opendir("/proc");
  if (!proc) fail("/proc");
  for (struct dirent *entry; (entry = readdir(proc)) && count < 65536;)
    if (isdigit((unsigned char)entry->d_name[0]) && read_process(atoi(entry->d_name), &all[count])) count++;
  closedir(proc);

  struct usage usage = {0};
  // A child may have a lower number than its parent: look until nobody is new.
  for (bool grew = true; grew;) {
    grew = false;
    for (int i = 0; i < count; i++) {
      if (all[i].counted) continue;
      bool belongs = all[i].pid == root;
      for (int j = 0; j < count && !belongs; j++) belongs = all[j].counted && all[j].pid == all[i].parent;
      if (!belongs) continue;
      all[i].counted = grew = true;
      usage.cpu += all[i].ticks / sysconf(_SC_CLK_TCK);
      usage.threads += all[i].threads;
      usage.processes++;
      if (memory) read_memory(all[i].pid, &usage);
    }
  }
  if (usage.processes == 0) {
    fprintf(stderr, "the server, process %d, is gone\n", root);
    exit(1);
  }
  return usage;
}

struct usage usage_of(pid_t root) { return sum(root, true); }
double cpu_of(pid_t root) { return sum(root, false).cpu; }
