/**
 * The only way out of a sandbox, for an AI agent, a CI job or a scraper: a proxy
 * that reaches what is on its list and nothing else.
 *
 * It listens on a socket in the file system. Mount that into a container that has
 * no network (`docker run --network none -v /run/egress:/run/egress …`), and
 *
 *     curl -x socks5h://localhost/run/egress/proxy.sock https://api.example.com
 *
 * is all that gets out. Each request leaves a line that says what decided it.
 *
 *     node examples/sandbox.ts      (Node 22.18 and later run TypeScript as it is)
 */

import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { type RuleOptions, Server } from "effect-socks"

/** What the sandbox may reach. Names on the list open no raw addresses, and what is not on it stays closed. */
export const rules: ReadonlyArray<RuleOptions> = [
  {
    name: "packages",
    allow: true,
    to: ["registry.npmjs.org:443", "*.pythonhosted.org:443", "pypi.org:443"]
  },
  {
    name: "source",
    allow: true,
    commands: "connect",
    to: ["github.com:443", "*.githubusercontent.com:443"]
  },
  { name: "the model", allow: true, to: "api.example.com:443", limits: { upload: "1 MiB" } }
]

/** The proxy at this path, for who may open it: nobody but this program's own user. */
export const EgressLive = (path: string, allowed: ReadonlyArray<RuleOptions> = rules) =>
  Server.layer({
    listen: `unix:${path}`,
    unixMode: 0o600,
    rules: allowed,
    // Whoever gets in here is not this machine's user: nothing private, nothing but TCP.
    privateTargets: "deny",
    udp: false,
    maxLifetime: "1 hour"
  })

if (process.argv[1] === import.meta.filename) {
  const path = process.argv[2] ?? "/run/egress/proxy.sock"
  const program = Effect.andThen(Effect.log(`the way out is at ${path}`), Effect.never)
  program.pipe(Effect.provide(EgressLive(path)), NodeRuntime.runMain)
}
