// What a process and all that descend from it cost, as /proc tells. It is taken to
// lead a session of its own, to which those belong whose parent has ended.
#include "load.h"
#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

struct process {
  pid_t pid, parent, session;
  double user, system;  // in ticks
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
  if (!rest || sscanf(rest + 2, "%*c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %ld",
                      &process->parent, &process->session, &own_user, &own_system, &ended_user, &ended_system,
                      &threads) != 7)
    return false;
  process->pid = pid;
  // Children that have ended live on in these two sums of their parent.
  process->user = (double)own_user + ended_user;
  process->system = (double)own_system + ended_system;
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

static struct times sum(pid_t root, struct usage *usage) {
  static struct process all[65536];
  int count = 0;
  DIR *proc = opendir("/proc");
  if (!proc) fail("/proc");
  for (struct dirent *entry; (entry = readdir(proc)) && count < 65536;)
    if (isdigit((unsigned char)entry->d_name[0]) && read_process(atoi(entry->d_name), &all[count])) count++;
  closedir(proc);

  struct times times = {0};
  int counted = 0;
  // A child may have a lower number than its parent: look until nobody is new.
  for (bool grew = true; grew;) {
    grew = false;
    for (int i = 0; i < count; i++) {
      if (all[i].counted) continue;
      bool belongs = all[i].pid == root || all[i].session == root;
      for (int j = 0; j < count && !belongs; j++) belongs = all[j].counted && all[j].pid == all[i].parent;
      if (!belongs) continue;
      all[i].counted = grew = true;
      counted++;
      times.user += all[i].user / sysconf(_SC_CLK_TCK);
      times.system += all[i].system / sysconf(_SC_CLK_TCK);
      if (!usage) continue;
      usage->threads += all[i].threads;
      usage->processes++;
      read_memory(all[i].pid, usage);
    }
  }
  if (counted == 0) {
    fprintf(stderr, "the server, process %d, is gone\n", root);
    exit(1);
  }
  return times;
}

struct times times_of(pid_t root) { return sum(root, NULL); }
struct usage usage_of(pid_t root) {
  struct usage usage = {0};
  struct times times = sum(root, &usage);
  usage.cpu = times.user + times.system;
  return usage;
}
double cpu_of(pid_t root) {
  struct times times = times_of(root);
  return times.user + times.system;
}

int cost(void) {
  struct usage usage = usage_of(opt.pid);
  printf("{\"cpuMs\":%.0f,\"rss\":%.0f,\"pss\":%.0f,\"threads\":%d,\"processes\":%d,\"errors\":0}\n", usage.cpu * 1000,
         usage.rss, usage.pss, usage.threads, usage.processes);
  return 0;
}
