/**
 * The shape of `src`: floors, of which each builds on the ones below and knows
 * nothing of the ones above.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { assert, describe, it } from "@effect/vitest"

/** Top to bottom. A room is a directory of `src` or a file right in it. */
const floors = [
  ["main", "codeCache"],
  ["program"],
  ["cli", "index", "testing"],
  ["library"],
  ["admin"],
  ["fleet"],
  ["workers"],
  ["server"],
  ["metrics"],
  ["commands"],
  ["udp"],
  ["protocols"],
  ["session"],
  ["limits"],
  ["usage"],
  ["routes"],
  ["policy"],
  ["bans"],
  ["auth"],
  ["network"],
  ["config"],
  ["Reply"],
  ["wire"],
  ["base"],
  ["Errors"]
]

/** Rooms that may touch the platform. */
const onNode = [
  "main",
  "codeCache",
  "program",
  "testing",
  "library",
  "admin",
  "fleet",
  "server",
  "workers",
  "udp",
  "limits",
  "usage",
  "bans",
  "auth",
  "network",
  "base"
]

/** Files that may touch Node's sockets and streams, and what for. All else has connections by `network/Transport.ts`. */
const onSockets: Readonly<Record<string, string>> = {
  "network/NodeTransport.ts": "a connection on a stream",
  "network/NodeSockets.ts": "connecting and listening",
  "network/DnsStream.ts": "asks name servers over TCP and TLS",
  "network/NodeUdpSockets.ts": "addresses as Node writes them",
  "network/descriptors/DescriptorTransport.ts": "hands a descriptor over",
  "network/NodeInternals.ts": "reading into buffers that are given",
  "codeCache.ts": "the client and the target of a session",
  "network/Transport.ts": "the type of what is handed over",
  "network/Tls.ts": "takes what is handed over",
  "network/TlsClient.ts": "takes what is handed over",
  "network/UnixDialer.ts": "connects to sockets in the file system",
  "network/Http2Connection.ts": "HTTP/2 on a decrypted connection",
  "network/Http2Stream.ts": "a stream of HTTP/2",
  "network/HttpExchange.ts": "the reason phrases of HTTP",
  "admin/AdminListener.ts": "the admin listener",
  "admin/Assets.ts": "the types of its requests",
  "admin/AdminServer.ts": "the type of its handler",
  "admin/Dispatch.ts": "the types of its requests",
  "admin/EventResponse.ts": "the type of its answer",
  "library/Connection.ts": "the type of what an app accepts",
  "testing/Connection.ts": "connections in memory",
  "testing/Network.ts": "connections in memory",
  "testing/Peer.ts": "plays the other side",
  "server/AddressWait.ts": "tries to bind an address",
  "server/HealthCheck.ts": "is a client of the listeners",
  "server/TlsFiles.ts": "tries a certificate",
  "server/UnixSocket.ts": "asks whether a socket in the file system is in use",
  "workers/ListenPreflight.ts": "tries to listen",
  "base/FileLock.ts": "a lock that is a socket",
  "base/Output.ts": "standard output"
}

const src = join(import.meta.dirname, "../src")

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll("\\", "/"))
  .sort()

const statement =
  /^(?:import|export)\s+(?:type\s+)?(?:(?:\*(?:\s+as\s+\w+)?|\w+|\{[^}]*\})(?:\s*,\s*\{[^}]*\})?\s+from\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gm

const importsOf = (file: string): ReadonlyArray<string> =>
  Array.from(readFileSync(join(src, file), "utf8").matchAll(statement), ([, named, dynamic]) =>
    String(named ?? dynamic)
  )

const roomOf = (file: string): string => file.replace(/\/.*|\.ts$/g, "")

const floorOf = (file: string): number => floors.findIndex((rooms) => rooms.includes(roomOf(file)))

const imports = files.flatMap((from) => importsOf(from).map((specifier) => ({ from, specifier })))

/** From file to file, as paths in `src`. */
const edges = imports
  .filter(({ specifier }) => specifier.startsWith("."))
  .map(({ from, specifier }) => ({ from, to: relative(src, join(src, dirname(from), specifier)) }))

/** The nodes on the first cycle found, if there is one. */
const cycle = (graph: ReadonlyArray<{ readonly from: string; readonly to: string }>) => {
  const done = new Set<string>()
  const visit = (node: string, path: ReadonlyArray<string>): ReadonlyArray<string> => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node]
    if (done.has(node)) return []
    for (const { to } of graph.filter(({ from }) => from === node)) {
      const found = visit(to, [...path, node])
      if (found.length > 0) return found
    }
    done.add(node)
    return []
  }
  return graph.map(({ from }) => visit(from, [])).find((found) => found.length > 0) ?? []
}

describe("architecture", () => {
  it("is tested with all files", () => {
    assert.isAbove(files.length, 20)
    assert.isAbove(edges.length, 50)
    assert.deepStrictEqual(
      edges.filter(({ to }) => !files.includes(to)),
      []
    )
    const written = files.reduce(
      (count, file) => count + (readFileSync(join(src, file), "utf8").match(/^import\b/gm)?.length ?? 0),
      0
    )
    const found = files.reduce(
      (count, file) =>
        count +
        Array.from(readFileSync(join(src, file), "utf8").matchAll(statement)).filter(([text]) =>
          /^import\s/.test(text)
        ).length,
      0
    )
    assert.strictEqual(found, written)
  })

  it("gives every file a floor", () => {
    assert.deepStrictEqual(
      files.filter((file) => floorOf(file) === -1),
      []
    )
  })

  it("imports downwards", () => {
    assert.deepStrictEqual(
      edges
        .filter(({ from, to }) => floorOf(to) < floorOf(from))
        .map(
          ({ from, to }) =>
            `${from} imports ${to}: ${roomOf(from)}/ is below ${roomOf(to)}/. Move what is needed down to ` +
            `${roomOf(from)}/ or lower, move ${from} up to ${roomOf(to)}/ or higher, or take it as a parameter.`
        ),
      []
    )
  })

  it("has no cycle, of files or of rooms", () => {
    assert.deepStrictEqual(cycle(edges), [])
    const rooms = edges.map(({ from, to }) => ({ from: roomOf(from), to: roomOf(to) }))
    assert.deepStrictEqual(cycle(rooms.filter(({ from, to }) => from !== to)), [])
  })

  it("touches the platform only at its edges", () => {
    assert.deepStrictEqual(
      imports.filter(
        ({ from, specifier }) =>
          (specifier.startsWith("node:") || specifier.startsWith("@effect/platform-node")) &&
          !onNode.includes(roomOf(from))
      ),
      []
    )
  })

  it("touches sockets and streams only in the files of the list", () => {
    const touching = imports
      .filter(({ specifier }) => /^node:(net|stream|tls|http|https|http2)$/.test(specifier))
      .map(({ from }) => from)
    assert.deepStrictEqual([...new Set(touching)].sort(), Object.keys(onSockets).sort())
  })

  it("touches Node's internals in one file", () => {
    const internal =
      /\._(?!tag\b)\w|\b_(?:handle|readableState|writableState)\b|\bkBuffer|getOwnPropertySymbols|process\.binding/
    const touching = files.filter((file) => internal.test(readFileSync(join(src, file), "utf8")))
    assert.deepStrictEqual(touching, ["network/NodeInternals.ts"])
  })

  it("imports modules, not barrels", () => {
    assert.deepStrictEqual(
      imports.filter(
        ({ from, specifier }) =>
          !(specifier === "koffi" && from === "network/descriptors/Libc.ts") &&
          !(specifier === "libsql" && from === "usage/SqliteClient.ts") &&
          !(specifier === "@effect/sql-pg/PgClient" && from === "usage/PostgresClient.ts") &&
          !(specifier === "@redis/client" && from === "fleet/RedisClient.ts") &&
          !/^(\.\.?\/|node:|effect\/[\w/-]+$|@effect\/platform-node\/\w+$|yaml$)/.test(specifier)
      ),
      []
    )
  })

  it("loads the YAML parser only when it is needed", () => {
    const texts = files.map((file) => readFileSync(join(src, file), "utf8"))
    assert.isNotEmpty(texts.filter((text) => /\bimport\("yaml"\)/.test(text)))
    assert.isEmpty(texts.filter((text) => /^(?:import|export)\s+(?!type\b).*"yaml"/m.test(text)))
  })
})
