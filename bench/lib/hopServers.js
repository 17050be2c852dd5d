// The servers that reach targets through an upstream, and the upstreams.
import { join } from "node:path"
import { inProject } from "./paths.js"
import { danteConfig, servers, written } from "./servers.js"

/**
 * @typedef {import("./servers.js").Server} Server
 * @typedef {{ readonly name: string, readonly upstream: string, readonly through: (upstream: number) => Server }} Hop a
 *   server, and the upstream in front of which it is measured
 */

/** @param {string} name @returns {Server} */
export const named = (name) => {
  const server = servers.find((each) => each.name === name)
  if (server === undefined) throw new Error(`there is no ${name}`)
  return server
}

/** @param {string} upstream @param {string} [options] behind the URL @returns {Hop} */
const own = (upstream, options = "") => ({
  name: `effect-socks${options && ", pipelined"}`,
  upstream,
  through: (port) => ({
    ...named("effect-socks"),
    command: (own) => [
      ...[process.execPath, inProject("dist/main.js"), "--listen", `127.0.0.1:${own}`],
      ...["--upstream", `socks5://127.0.0.1:${port}${options}`]
    ]
  })
})

/** dante goes on by SOCKS5 itself, where a route of its configuration says so. @param {string} upstream @returns {Hop} */
const dante = (upstream) => ({
  name: "dante",
  upstream,
  through: (port) => ({
    ...named("dante"),
    command: (own, scratch) => [
      "danted",
      "-f",
      written(join(scratch, "danted.conf"), `${danteConfig(own)}${danteRoute(port)}`)
    ]
  })
})

/** @param {number} port */
const danteRoute = (port) => `
route {
  from: 0.0.0.0/0 to: 127.0.0.0/8 via: 127.0.0.1 port = ${port}
  proxyprotocol: socks_v5
  command: connect
  method: none
}
`

/** microsocks loses what is sent before it has answered. @type {readonly Hop[]} */
export const hops = [
  own("microsocks"),
  dante("microsocks"),
  own("dante"),
  own("dante", "?pipelined=true"),
  dante("dante"),
  own("effect-socks"),
  own("effect-socks", "?pipelined=true"),
  dante("effect-socks")
]
