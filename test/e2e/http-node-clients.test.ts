/**
 * HTTP clients of npm with a proxy that asks for a password, with TLS and without: each gets an answer and sends five
 * megabytes, in a forwarded request and through a tunnel, and is told why a login failed.
 *
 * @module-tag transport
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { certificate } from "../support/certificates.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"
import * as Uploads from "../support/uploads.ts"

const { megabytes } = Uploads

const script = fileURLToPath(new URL("../support/node-clients.mjs", import.meta.url))

const clients = ["axios", "got", "undici, by tunnels", "undici, by forwarded requests"]

it.live("axios, got and undici", () =>
  Effect.gen(function* () {
    const directory = yield* Temporary.directory
    const { cert, certFile, keyFile } = certificate(directory, "proxy", "/CN=localhost")
    const program = yield* Program.start([
      ...[
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "tls:127.0.0.1:0",
        "--tls-cert",
        certFile,
        "--tls-key",
        keyFile
      ],
      ...["--user", "alice:secret", "--private-targets", "allow"]
    ])
    const plain = yield* Uploads.plain
    const secure = yield* Uploads.secure(directory)
    const authorities = join(directory, "authorities.pem")
    yield* Effect.promise(() => writeFile(authorities, cert + secure.cert))
    const [http, https] = program.addresses.map((address) => `localhost:${Program.portOf(address)}`)
    const run = (proxies: ReadonlyArray<string>, urls: ReadonlyArray<string>) =>
      Effect.map(
        Processes.run(process.execPath, [script, String(megabytes), proxies.join(), urls.join()], {
          env: { NODE_EXTRA_CA_CERTS: authorities }
        }),
        ({ stdout, stderr }) => (stderr || stdout).trim().split("\n")
      )
    const proxies = [`http://alice:secret@${http}`, `https://alice:secret@${https}`]
    const urls = [`http://127.0.0.1:${plain.port}/`, `https://localhost:${secure.port}/`]
    assert.deepStrictEqual(
      yield* run(proxies, urls),
      clients.flatMap((client) =>
        proxies.flatMap((proxy) =>
          urls.map((url) => `${client}\t${proxy}\t${url}\t200 GET 0, 200 POST ${megabytes}`)
        )
      )
    )
    yield* program.logged({ user: "alice", command: "FORWARD", status: 200 }, 10)
    const refused = yield* run([`http://alice:guess@${http}`], urls.slice(0, 1))
    assert.lengthOf(refused, clients.length)
    for (const line of refused) assert.match(line, /407|authentication failed/i)
  })
)
