// Where and when figures were made.
import { availableParallelism, cpus, release, type } from "node:os"
import { cores } from "./process.js"
import { versionIfHere } from "./servers.js"

/** @param {readonly import("./servers.js").Server[]} servers */
export const describe = (servers) => ({
  date: new Date().toISOString().slice(0, 10),
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  pinned: cores.generator === undefined ? "nothing" : "server and generator, each to a core of its own",
  kernel: `${type()} ${release()}`,
  node: process.version.slice(1),
  servers: Object.fromEntries(servers.map((server) => [server.name, versionIfHere(server) ?? "not here"]))
})

/** @param {ReturnType<typeof describe>} machine @param {number} rounds */
export const sentence = (machine, rounds) =>
  `${machine.date}, ${machine.processor}, ${machine.cores} cores, ${machine.kernel}; pinned: ${machine.pinned}; ` +
  `medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}. ${Object.entries(machine.servers)
    .map(([name, version]) => `${name} ${version}`)
    .join("; ")}.`
