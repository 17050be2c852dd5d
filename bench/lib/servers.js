// The servers that are measured, how each is started on a port, and its version.
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { buildGo, goProgram } from "./go.js"
import { inBench, inProject } from "./paths.js"

/**
 * @typedef {{
 *   readonly name: string,
 *   readonly command: (port: number, scratch: string) => readonly string[],
 *   readonly version: () => string,
 *   readonly groups?: readonly string[],
 *   readonly skips?: readonly string[],
 *   readonly hint?: string,
 *   readonly variantOf?: string,
 *   readonly mostIdle?: number,
 *   readonly speaks?: "http"
 * }} Server `version` throws if it is not on this machine; only for these groups of measures, and not for those; what to
 *   do where it is not here; the server that also stands for this one; how many sessions fit into 20,000 descriptors,
 *   where it is less than 5,000; what it speaks, where that is not SOCKS5
 */

// Servers run in a directory of their own.
const NODE24 = process.env.NODE24 && resolve(process.env.NODE24)

/** @param {string} node @returns {Server} */
const own = (node) => ({
  name: "effect-socks",
  command: (port) => [node, inProject("dist/main.js"), "--listen", `127.0.0.1:${port}`],
  version: () => `${packageVersion(inProject("package.json"))} (commit ${commit()})`
})

/** This server with its connections on the sockets of Node. @param {string} node @param {string} [suffix] @returns {Server} */
const onNode = (node, suffix = "") => ({
  ...own(node),
  name: `effect-socks-node${suffix}`,
  command: (port) => [...own(node).command(port, ""), "--transport", "node"]
})

const limits = [
  ...["--max-sessions", "12000", "--max-sessions-per-client", "11000", "--session-rate", "100000"],
  ...["--bandwidth-user", "4GiB", "--bandwidth-total", "8GiB"]
]

/** This server with limits that nothing reaches, to compare a machine of a fleet with. @param {string} node @returns {Server} */
const withLimits = (node) => ({
  ...own(node),
  name: "effect-socks-limits",
  command: (port) => [...own(node).command(port, ""), ...limits],
  groups: ["rate", "pingpong", "idle"]
})

/** A machine of a fleet with these limits, whose store is that of the variable FLEET. @param {string} node @returns {Server} */
const inFleet = (node) => ({
  ...own(node),
  name: "effect-socks-fleet",
  command: (port) => [...own(node).command(port, ""), ...limits, "--fleet", String(process.env.FLEET)],
  version: () => {
    if (!process.env.FLEET) throw new Error("no store")
    return own(node).version()
  },
  groups: ["rate", "pingpong", "idle"],
  hint: "FLEET=redis://127.0.0.1:6379 names the store of a fleet"
})

/** @param {string} node @returns {Server} */
const nodePipe = (node) => ({
  name: "node-pipe",
  command: (port) => [node, inBench("servers/node-pipe.js"), String(port)],
  version: () => `Node ${nodeVersion(node)}`,
  skips: ["udp", "cores"]
})

/** This server with processes that share its work. @param {string} node @param {string} [suffix] @returns {readonly Server[]} */
const withWorkers = (node, suffix = "") =>
  ["1-worker", "2-workers"].map((workers) => ({
    name: `effect-socks-${workers}${suffix}`,
    command: (port) => [...own(node).command(port, ""), "--workers", String(Number.parseInt(workers, 10))],
    version: () => {
      if (!run(node, inProject("dist/main.js"), "--help").includes("--workers"))
        throw new Error("no such flag")
      return own(node).version()
    },
    groups: ["cores"],
    hint: "this build of effect-socks has no --workers",
    variantOf: `effect-socks${suffix}`
  }))

/** Where another Node may make a difference. @param {string} node @returns {readonly Server[]} */
const onNode24 = (node) => {
  const version = () => {
    const found = nodeVersion(node)
    if (!found.startsWith("24.")) throw new Error(`it is Node ${found}`)
    return `Node ${found}`
  }
  const hint = `NODE24=${node} is no Node 24`
  const both = [own(node), nodePipe(node)].map((server) => ({
    ...server,
    name: `${server.name}-on-node24`,
    version,
    groups: ["bulk", "rate", "pingpong", "idle"],
    hint
  }))
  return [...both, ...withWorkers(node, "-on-node24")]
}

/** @param {string} name @param {string} file @returns {Server} */
const peer = (name, file) => ({
  name,
  command: (port) => [process.execPath, inBench(`servers/${file}`), String(port)],
  version: () => packageVersion(inBench(`node_modules/${name}/package.json`)),
  skips: ["udp", "cores"]
})

/** @type {readonly Server[]} */
export const servers = [
  own(process.execPath),
  onNode(process.execPath),
  withLimits(process.execPath),
  inFleet(process.execPath),
  ...withWorkers(process.execPath),
  ...(NODE24 ? onNode24(NODE24) : []),
  nodePipe(process.execPath),
  {
    name: "bare-relay",
    command: (port) => [process.execPath, inBench("servers/bare-relay.js"), String(port)],
    version: () => `of ${own(process.execPath).version()}`,
    groups: ["rate", "pingpong", "idle"]
  },
  {
    name: "node-udp",
    command: (port) => [process.execPath, inBench("servers/node-udp.js"), String(port)],
    version: () => `Node ${nodeVersion(process.execPath)}`,
    groups: ["udp"]
  },
  peer("@mongodb-js/socksv5", "mongodb-socksv5.js"),
  peer("@pondwader/socks5-server", "pondwader.js"),
  peer("simple-socks", "simple-socks.js"),
  {
    name: "go-socks5",
    command: (port) => [goProgram("go-socks5"), String(port)],
    version: () => {
      const go = buildGo("go-socks5", "github.com/armon/go-socks5")
      return `${installed("go", "golang-github-armon-go-socks5-dev")}, ${go}`
    },
    skips: ["udp", "cores"],
    // Each direction that has moved a byte holds a pipe.
    mostIdle: 3000,
    hint: "Debian: apt-get install golang-go golang-github-armon-go-socks5-dev"
  },
  {
    name: "microsocks",
    command: (port) => ["microsocks", "-i", "127.0.0.1", "-p", String(port)],
    version: () => installed("microsocks", "microsocks"),
    skips: ["udp", "cores"],
    hint: "Debian: apt-get install microsocks"
  },
  {
    name: "dante",
    command: (port, scratch) => ["danted", "-f", written(join(scratch, "danted.conf"), danteConfig(port))],
    version: () => installed("danted", "dante-server"),
    hint: "Debian: apt-get install dante-server"
  },
  {
    name: "3proxy",
    command: (port, scratch) => ["3proxy", written(join(scratch, "3proxy.cfg"), threeProxyConfig(port))],
    version: () => installed("3proxy", "3proxy")
  },
  {
    name: "hev-socks5-server",
    command: (port, scratch) => ["hev-socks5-server", written(join(scratch, "hev.yml"), hevConfig(port))],
    version: () => installed("hev-socks5-server", "hev-socks5-server")
  }
]

/** Whether it is to be measured so. @param {Server} server @param {string} group of measures */
export const takesPart = ({ groups, skips = ["cores"] }, group) =>
  groups ? groups.includes(group) : !skips.includes(group)

/** @param {Server} server @returns {string | undefined} nothing if it is not on this machine */
export const versionIfHere = (server) => {
  if (!versions.has(server)) versions.set(server, versionOf(server))
  return versions.get(server)
}

/** @type {Map<Server, string | undefined>} */
const versions = new Map()

/** @param {Server} server */
const versionOf = (server) => {
  try {
    return server.version()
  } catch {
    return undefined
  }
}

/** @param {number} port */
export const danteConfig = (port) => `
logoutput: /dev/null
internal: 127.0.0.1 port = ${port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }
`

/** @param {number} port */
const threeProxyConfig = (port) => `
auth none
maxconn 20000
socks -i127.0.0.1 -p${port}
`

/** @param {number} port */
const hevConfig = (port) => `
main:
  workers: 1
  listen-address: 127.0.0.1
  port: ${port}
`

/** @param {string} path @param {string} text */
export const written = (path, text) => {
  writeFileSync(path, text)
  return path
}

/** @param {string} path */
const packageVersion = (path) => JSON.parse(readFileSync(path, "utf8")).version

/** @param {string} program @param {string} debianPackage */
const installed = (program, debianPackage) => {
  run("sh", "-c", `command -v ${program}`)
  try {
    return run("dpkg-query", "-W", "-f", "$" + "{Version}", debianPackage)
  } catch {
    return "of unknown version"
  }
}

const commit = () => {
  try {
    const changed = run("git", "-C", inProject("."), "status", "--porcelain", "--", "src") !== ""
    return run("git", "-C", inProject("."), "rev-parse", "--short", "HEAD") + (changed ? " with changes" : "")
  } catch {
    return "unknown"
  }
}

/** @param {string} node */
const nodeVersion = (node) => run(node, "--version").slice(1)

/** @param {string} program @param {readonly string[]} args */
const run = (program, ...args) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
