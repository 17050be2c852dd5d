/**
 * Programs and libraries that others use as clients of HTTP/2 for a proxy over TLS, with a password.
 *
 * @module-tag transport
 */
import { spawnSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"
import * as Uploads from "../support/uploads.ts"

const { megabytes } = Uploads

const started = Effect.gen(function* () {
  const directory = yield* Temporary.directory
  const { certFile, keyFile } = certificate(directory, "proxy", "/CN=localhost")
  const program = yield* Program.start([
    ...["--listen", "tls:127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile],
    ...["--user", "alice:secret", "--private-targets", "allow"]
  ])
  const plain = yield* Uploads.plain
  const secure = yield* Uploads.secure(directory)
  return { directory, program, certFile, plain, secure }
})

/** The version of Debian 12 is too old, so that its tests are skipped in CI, too. */
const hasCurl = spawnSync("sh", ["-c", "curl --help all | grep -q proxy-http2"]).status === 0

describe.runIf(hasCurl)("curl 8.1 or later", () => {
  it.live("uploads in forwarded requests and through tunnels", () =>
    Effect.gen(function* () {
      const { directory, program, certFile, plain, secure } = yield* started
      const file = join(directory, "body")
      yield* Effect.promise(() => writeFile(file, Buffer.alloc(megabytes, "x")))
      const curl = (user: string, ...urls: ReadonlyArray<string>) =>
        Processes.run("curl", [
          ...["-sS", "-v", "--max-time", "20", "--proxy-http2", "-x", `https://localhost:${program.port}`],
          ...["--proxy-user", user, "--proxy-cacert", certFile, "--cacert", secure.certFile],
          ...["-H", "Expect:", "--data-binary", `@${file}`, "-w", "\n"],
          ...urls
        ])
      const urls = [`http://127.0.0.1:${plain.port}/`, `https://127.0.0.1:${secure.port}/`]
      for (const url of urls) {
        const { stdout, stderr } = yield* curl("alice:secret", url, url)
        assert.strictEqual(stdout, `POST ${megabytes}\nPOST ${megabytes}\n`, stderr)
        assert.match(stderr, /CONNECT tunnel: HTTP\/2 negotiated|using HTTP\/2/)
        yield* program.logged({ user: "alice", target: new URL(url).host, status: 200 })
      }
      const { stderr } = yield* curl("alice:guess", urls[0]!)
      assert.match(stderr, /407/)
    })
  )
})
