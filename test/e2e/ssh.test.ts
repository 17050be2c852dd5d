/**
 * ssh through nc, to an sshd of the test's own.
 */
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWith } from "../support/clients.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { sshd } from "../support/sshd.ts"
import * as Temporary from "../support/temporary.ts"

describeWith(["openssh-client", "openssh-server", "netcat-openbsd"], () => {
  it.live("runs a command on a host behind the server, with nc as its ProxyCommand", () =>
    Effect.gen(function* () {
      const server = yield* Program.start()
      const directory = yield* Temporary.directory
      const port = yield* sshd(directory)
      const { code, stdout, stderr } = yield* Processes.run("ssh", [
        ...["-F", "none", "-i", join(directory, "user"), "-p", String(port)],
        ...["-o", "BatchMode=yes", "-o", `UserKnownHostsFile=${join(directory, "known_hosts")}`],
        ...["-o", `ProxyCommand=nc.openbsd -X 5 -x ${server.address} %h %p`],
        ...["127.0.0.1", "head -c 3000000 /dev/zero | wc -c; head -c 100000 /dev/zero; exit 7"]
      ])
      assert.strictEqual(code, 7, stderr)
      assert.strictEqual(stdout, `3000000\n${"\0".repeat(100_000)}`)
      yield* server.logged({ message: "session", target: `127.0.0.1:${port}`, outcome: "finished" })
    })
  )
})
