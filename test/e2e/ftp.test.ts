/**
 * FTP in active mode, where the server connects to the client: what BIND was
 * made for.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith, python } from "../support/clients.ts"
import * as Dante from "../support/dante.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Temporary from "../support/temporary.ts"

/** Serves a directory, and prints its port. */
const ftpServer = `
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1])
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print(server.address[1], flush=True)
server.serve_forever()
`

describeWith(["tnftp", "dante-client", "python3-pyftpdlib"], () => {
  it.live("fetches a file that the server brings it", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--bind"])
      const directory = yield* Temporary.directory
      const served = join(directory, "served")
      yield* Effect.promise(() => mkdir(served))
      yield* Effect.promise(() => writeFile(join(served, "file"), content))
      const ftp = yield* Processes.start(python, ["-c", ftpServer, served])
      const port = yield* ftp.until((stdout) => /^(\d+)\n/.exec(stdout)?.[1])

      const commands = "get file\nbye\n"
      const script = `printf '${commands}' | socksify tnftp -A -a ftp://127.0.0.1:${port}/`
      const env = yield* Dante.environment(server.port)
      const { code, stdout, stderr } = yield* Processes.run("sh", ["-c", script], { cwd: directory, env })
      assert.strictEqual(code, 0, stdout + stderr)
      const fetched = yield* Effect.promise(() => readFile(join(directory, "file"), "utf8"))
      assert.strictEqual(fetched, content)
      yield* server.logged({ command: "CONNECT", target: `127.0.0.1:${port}`, outcome: "finished" })
      yield* server.logged({ command: "BIND", outcome: "finished", received: content.length })
    })
  )
})

const content = "0123456789".repeat(10_000)
