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

/**
 * @param {ReturnType<typeof describe>} machine
 * @param {string} how figures were made of several
 * @param {(server: string) => boolean} isThere
 */
export const sentence = (machine, how, isThere) => {
  const versions = Object.entries(machine.servers).filter(([name]) => isThere(name))
  return (
    `${machine.date}: ${machine.processor}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}; ` +
    `pinned: ${machine.pinned}; ${how}. ${versions.map(([name, version]) => `${name} ${version}`).join("; ")}.`
  )
}
