// What a session, a round trip and a GiB cost through one upstream, beside dante's own route to it:
// `node bench/hop.js [ROUNDS [LOAD [UPSTREAM]]]`. The CPU is of the server in front alone.
import { hops, named } from "./lib/hopServers.js"
import { build, load } from "./lib/load.js"
import { cores, start } from "./lib/process.js"
import { versionIfHere } from "./lib/servers.js"
import { median } from "./lib/statistics.js"

const rounds = Number(process.argv[2] ?? 3)

/** Only loads and upstreams with these words in their names. */
const [wantedLoad = "", wantedUpstream = ""] = process.argv.slice(3)

const loads = [
  {
    name: "session, CPU-µs",
    args: ["rate", "--streams", "32", "--first", "2000", "--total", "6000"],
    field: "cpuUs"
  },
  {
    name: "session, half within µs, one at a time",
    args: ["rate", "--streams", "1", "--first", "1500", "--total", "1500"],
    field: "p50Us"
  },
  {
    name: "round trip of 64 bytes, CPU-µs",
    args: ["pingpong", "--streams", "64", "--seconds", "1.5"],
    field: "cpuUs"
  },
  {
    name: "GiB to clients, CPU-s",
    args: ["bulk", "--streams", "16", "--seconds", "1.5"],
    field: "cpuPerGib"
  },
  {
    name: "GiB from clients, CPU-s",
    args: ["bulk", "--up", "--streams", "16", "--seconds", "1.5"],
    field: "cpuPerGib"
  }
].filter(({ name }) => name.includes(wantedLoad))

build()

const here = hops.filter(({ upstream, name }) => {
  const missing = [named(upstream), named(String(name.split(",")[0]))].find(
    (server) => versionIfHere(server) === undefined
  )
  if (missing) console.log(`${missing.name}: not here`)
  return missing === undefined && upstream.includes(wantedUpstream)
})

/** @param {import("./lib/hopServers.js").Hop} hop @param {(typeof loads)[number]} what */
const measure = async ({ upstream, through }, { args, field }) => {
  // Beside the load, so that the server that is measured has a core to itself.
  const behind = await start(named(upstream), { core: cores.generator })
  try {
    const front = await start(through(behind.port))
    try {
      return Number((await load(front, args))[field])
    } finally {
      await front.stop()
    }
  } finally {
    await behind.stop()
  }
}

/** @type {Map<string, Array<number>>} */
const found = new Map()

for (let round = 0; round < rounds; round++) {
  for (const what of loads) {
    for (const hop of here) {
      const key = `${what.name}\n${hop.upstream}\n${hop.name}`
      const value = await measure(hop, what).catch((error) => {
        console.log(`${key.replaceAll("\n", ", ")}: ${error instanceof Error ? error.message : error}`)
        return Number.NaN
      })
      found.set(key, [...(found.get(key) ?? []), value])
    }
  }
}

for (const { name } of loads) {
  console.log(`\n${name}`)
  for (const hop of here) {
    const values = found.get(`${name}\n${hop.upstream}\n${hop.name}`) ?? []
    const others = found.get(`${name}\n${hop.upstream}\ndante`) ?? []
    // Of neighbours in a round, and then the median.
    const ratio = median(values.map((value, i) => value / Number(others[i])))
    const shown = `${hop.name} in front of ${hop.upstream}`.padEnd(44)
    console.log(`  ${shown} ${Number(median(values)).toFixed(2).padStart(9)}   ${ratio?.toFixed(2)}× dante's`)
  }
}
