// What is measured: what the load generator is told, and what of its answer is shown.

/**
 * @typedef {{ readonly field: string, readonly title: string, readonly digits: number, readonly scale?: number,
 *   readonly isCost?: boolean, readonly ratio?: (server: string) => readonly [string, string] }} Figure costs
 *   are compared with the bare Node proxy, the lower the better; with `ratio` only that of these two servers is shown
 * @typedef {{
 *   readonly name: string, readonly group: string, readonly title: string,
 *   readonly full: string[], readonly quick?: string[], readonly before?: string[], readonly beside?: string[], readonly isFree?: boolean,
 *   readonly figures: readonly Figure[]
 * }} Measure `full` and `quick` are for the load generator, and `before` and `beside` are too, of what is not measured and comes first
 *   or goes on meanwhile; what has no `quick` is left out of a quick run; if it is free, nothing has a core of its own
 */

/** @type {readonly Figure[]} */
const bytes = [
  { field: "cpuPerGib", title: "CPU-s/GiB", digits: 2, isCost: true },
  { field: "mbPerSecond", title: "MB/s", digits: 0 }
]
/** @type {readonly Figure[]} */
const datagrams = [
  { field: "cpuUs", title: "CPU-µs", digits: 1, isCost: true },
  { field: "perSecond", title: "datagrams/s", digits: 0 },
  { field: "lost", title: "lost", digits: 0 }
]

/** @param {string} name @param {string} title @param {string[]} args @returns {Measure} */
const bulk = (name, title, args) => ({
  name,
  group: "bulk",
  title,
  full: ["bulk", ...args, "--seconds", "2"],
  // One stream says little that sixteen do not.
  ...(name.endsWith("16") && { quick: ["bulk", ...args, "--seconds", "0.7"] }),
  figures: bytes
})

/** @param {string} name @param {string} title @param {string} size @returns {Measure} */
const udp = (name, title, size) => ({
  name,
  group: "udp",
  title,
  full: ["udp", "--size", size, "--streams", "32", "--seconds", "2"],
  quick: ["udp", "--size", size, "--streams", "32", "--seconds", "0.7"],
  figures: datagrams
})

/** @param {string} name @param {string} title @param {string[]} beside @returns {Measure} */
const tail = (name, title, beside) => ({
  name,
  group: "tail",
  title: `one quiet session beside ${title}`,
  before: ["rate", "--streams", "32", "--total", "4000"],
  beside,
  full: ["pingpong", "--streams", "1", "--seconds", "4"],
  quick: ["pingpong", "--streams", "1", "--seconds", "2"],
  figures: [
    { field: "p50Us", title: "half within µs", digits: 0 },
    { field: "p99Us", title: "99 % within µs", digits: 0 }
  ]
})

/** What one worker takes by what these take: 1 if more of them cost nothing. @type {Figure["ratio"]} */
const toOneWorker = (server) => [server.replace(/-\d+-workers?/, "-1-worker"), server]

/** @type {readonly Measure[]} */
export const measures = [
  bulk("down1", "1 download", ["--streams", "1"]),
  bulk("down16", "16 downloads", ["--streams", "16"]),
  bulk("up1", "1 upload", ["--streams", "1", "--up"]),
  bulk("up16", "16 uploads", ["--streams", "16", "--up"]),
  {
    name: "rate",
    group: "rate",
    title: "sessions, 32 at once",
    // Counted, not timed: code is compiled by how often it runs, on however slow a machine.
    full: ["rate", "--streams", "32", "--first", "2000", "--total", "10000"],
    quick: ["rate", "--streams", "32", "--first", "2000", "--total", "3000"],
    figures: [
      { field: "firstCpuUs", title: "CPU-µs, the first 2,000", digits: 0, isCost: true },
      { field: "cpuUs", title: "CPU-µs, after them", digits: 0, isCost: true },
      { field: "cpuUs", title: "times go-socks5's", digits: 2, ratio: (server) => [server, "go-socks5"] },
      { field: "userUs", title: "in user mode", digits: 0 },
      { field: "systemUs", title: "in the kernel", digits: 0 },
      { field: "perSecond", title: "sessions/s", digits: 0 },
      { field: "p50Us", title: "half within µs", digits: 0 },
      { field: "p99Us", title: "99 % within µs", digits: 0 }
    ]
  },
  {
    name: "pingpong",
    group: "pingpong",
    title: "64 bytes there and back, 64 sessions",
    full: ["pingpong", "--streams", "64", "--seconds", "2"],
    quick: ["pingpong", "--streams", "64", "--seconds", "0.7"],
    figures: [
      { field: "cpuUs", title: "CPU-µs", digits: 1, isCost: true },
      { field: "perSecond", title: "round trips/s", digits: 0 },
      { field: "p50Us", title: "half within µs", digits: 0 },
      { field: "p99Us", title: "99 % within µs", digits: 0 }
    ]
  },
  {
    name: "idle",
    group: "idle",
    title: "sessions that do nothing",
    full: ["idle", "--streams", "5000", "--hold", "3"],
    quick: ["idle", "--streams", "2000", "--hold", "1"],
    figures: [
      { field: "rssPerSession", title: "KB of memory each (RSS)", digits: 1, scale: 1e-3 },
      {
        field: "pssPerSession",
        title: "KB, shared pages divided (PSS)",
        digits: 1,
        scale: 1e-3,
        isCost: true
      },
      { field: "sessions", title: "sessions", digits: 0 },
      { field: "cpuPerSecond", title: "CPU-ms a second, all together", digits: 0, scale: 1e3 }
    ]
  },
  tail("tail-rate", "64 that come and go", ["rate", "--streams", "64", "--total", "10000000"]),
  tail("tail-down16", "16 downloads", ["bulk", "--streams", "16", "--seconds", "600"]),
  {
    name: "cores-rate",
    group: "cores",
    title: "sessions, 32 at once, on all cores",
    // Each worker has its own code to compile.
    full: ["rate", "--streams", "32", "--first", "4000", "--total", "10000"],
    quick: ["rate", "--streams", "32", "--first", "4000", "--total", "4000"],
    isFree: true,
    figures: [
      { field: "perSecond", title: "sessions/s", digits: 0 },
      { field: "cpuUs", title: "CPU-µs of all processes", digits: 0 },
      { field: "cpuUs", title: "efficiency", digits: 2, ratio: toOneWorker },
      { field: "pssAfter", title: "MB of memory then (PSS)", digits: 0, scale: 1e-6 }
    ]
  },
  {
    name: "cores-down16",
    group: "cores",
    title: "16 downloads, on all cores",
    // Until each worker is there and has had some sessions.
    before: ["rate", "--streams", "32", "--total", "2000"],
    full: ["bulk", "--streams", "16", "--seconds", "2"],
    quick: ["bulk", "--streams", "16", "--seconds", "0.7"],
    isFree: true,
    figures: [
      { field: "mbPerSecond", title: "MB/s", digits: 0 },
      { field: "cpuPerGib", title: "CPU-s/GiB of all processes", digits: 2 },
      { field: "cpuPerGib", title: "efficiency", digits: 2, ratio: toOneWorker }
    ]
  },
  udp("udp64", "datagrams of 64 bytes", "64"),
  udp("udp1400", "datagrams of 1400 bytes", "1400"),
  {
    name: "start",
    group: "start",
    title: "from spawned to listening",
    full: [],
    quick: [],
    figures: [
      { field: "ms", title: "ms", digits: 0 },
      { field: "cpuMs", title: "CPU-ms", digits: 0, isCost: true },
      { field: "rss", title: "MB of memory then (RSS)", digits: 0, scale: 1e-6, isCost: true }
    ]
  }
]

/** Names for `--only`. */
export const groups = [...new Set(measures.map(({ group }) => group)), "growth", "heap", "profile"]
