/**
 * Listeners in the file system: who may use them, and what is left of them.
 *
 * @module-tag transport
 */
import { existsSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { itNeeds } from "../support/needs.ts"
import * as Origin from "../support/origin.ts"
import { output } from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe.concurrent("a socket in the file system", () => {
  itNeeds("curl")("takes the place of one that a killed server left, serves curl, and is gone after it", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "a socket")
      const killed = Effect.gen(function* () {
        // The permissions are those asked for, whatever the mask of the process.
        const by = Program.shell('umask 0077; exec "$@"')
        yield* Program.start(["--listen", `unix:${path}`, "--unix-mode", "0660"], { by })
        assert.strictEqual(mode(path), "660")
      })
      yield* Effect.scoped(killed)
      assert.isTrue(existsSync(path))
      const { addresses, logged, stop } = yield* Program.start(["--listen", `unix:${path}`])
      assert.deepStrictEqual(addresses, [`unix:${path}`])
      assert.strictEqual(mode(path), "600")
      const proxy = `socks5h://localhost${encodeURI(path)}`
      const { url } = yield* Origin.http()
      assert.strictEqual(yield* output("curl", ["-s", "-x", proxy, url]), Origin.page)
      const { client, listener, outcome } = yield* logged({ message: "session" })
      assert.deepStrictEqual([client, listener, outcome], [`unix:${path}`, `unix:${path}`, "finished"])
      assert.strictEqual((yield* stop).code, 0)
      assert.isFalse(existsSync(path))
    })
  )

  it.live("needs a password or --open if its permissions allow other users", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      const { code, stderr } = yield* Program.run(["--listen", `unix:${path}`, "--unix-mode", "0666"])
      assert.strictEqual(code, 2)
      assert.include(stderr, `refusing to listen on unix:${path}: others can reach it`)
      assert.isFalse(existsSync(path))
      yield* Program.start(["--listen", `unix:${path}`, "--unix-mode", "0666", "--user", "alice:secret"])
      assert.strictEqual(mode(path), "666")
    })
  )

  it.live("does not replace a socket of a running server", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((socket) => socket.destroy())
          server.listen(path, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { code, stderr } = yield* Program.run(["--listen", `unix:${path}`])
      assert.deepStrictEqual(
        [code, stderr.trim()],
        [1, `cannot listen on unix:${path}: it is in use already, by another program or by another listener`]
      )
      assert.isTrue(existsSync(path))
    })
  )

  it.live("does not replace a file that is no socket", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "notes")
      writeFileSync(path, "dear diary")
      const { code, stderr } = yield* Program.run(["--listen", `unix:${path}`])
      assert.deepStrictEqual(
        [code, stderr.trim()],
        [1, `cannot listen on unix:${path}: the path is taken by a file that is no socket`]
      )
    })
  )

  it.live("needs its directory", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "missing", "socket")
      const { code, stderr } = yield* Program.run(["--listen", `unix:${path}`])
      assert.deepStrictEqual(
        [code, stderr.trim()],
        [1, `cannot listen on unix:${path}: its directory does not exist`]
      )
    })
  )
})
