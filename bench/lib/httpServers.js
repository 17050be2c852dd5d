// The HTTP proxies that forwarded requests are measured with.
import { execFileSync } from "node:child_process"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inBench, inProject } from "./paths.js"

/** @typedef {import("./servers.js").Server} Server */

/**
 * One that takes its settings from a file.
 *
 * @param {string} name @param {string} program @param {readonly string[]} flags
 * @param {(port: number, scratch: string) => readonly string[]} config @returns {Server}
 */
const configured = (name, program, flags, config) => ({
  name,
  speaks: "http",
  command: (port, scratch) => {
    const file = join(scratch, "conf")
    // Both give up root.
    chmodSync(scratch, 0o777)
    writeFileSync(file, `${config(port, scratch).join("\n")}\n`)
    return [program, ...flags, file]
  },
  version: () => execFileSync(program, ["-v"], { encoding: "utf8" }).split("\n")[0] ?? ""
})

/** A build of this server. @param {string} name @param {string} project @param {readonly string[]} flags @returns {Server} */
const own = (name, project, ...flags) => ({
  name,
  speaks: "http",
  command: (port) => [
    ...[process.execPath, join(project, "dist/main.js"), "--listen", `127.0.0.1:${port}`],
    ...flags
  ],
  version: () => JSON.parse(readFileSync(join(project, "package.json"), "utf8")).version
})

/** The directory of another build of this server, to be measured beside this one. */
const { BASE } = process.env

/** @type {readonly Server[]} */
export const httpServers = [
  own("effect-socks", inProject("")),
  own("effect-socks-node", inProject(""), "--transport", "node"),
  ...(BASE ? [own("base", BASE), own("base-node", BASE, "--transport", "node")] : []),
  configured("squid", "/usr/sbin/squid", ["-N", "-f"], (port, scratch) => [
    `http_port 127.0.0.1:${port}`,
    "http_access allow all",
    "cache deny all",
    `access_log stdio:${join(scratch, "access.log")}`,
    `cache_log ${join(scratch, "cache.log")}`,
    `coredump_dir ${scratch}`,
    `pid_filename ${join(scratch, "pid")}`,
    "netdb_filename none",
    "pinger_enable off",
    "visible_hostname squid.example",
    "shutdown_lifetime 0 seconds"
  ]),
  configured("tinyproxy", "tinyproxy", ["-d", "-c"], (port, scratch) => [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Timeout 60",
    "MaxClients 200",
    "LogLevel Connect",
    `LogFile "${join(scratch, "tinyproxy.log")}"`
  ]),
  {
    name: "proxy-chain",
    speaks: "http",
    command: (port) => [process.execPath, inBench("servers/proxy-chain.js"), String(port)],
    version: () => JSON.parse(readFileSync(inBench("node_modules/proxy-chain/package.json"), "utf8")).version
  }
]
