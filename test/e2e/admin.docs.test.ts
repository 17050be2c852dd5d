/**
 * The lines of the page about the admin listener, as they are written there.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { itNeeds } from "../support/needs.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"

const page = readFileSync(new URL("../../docs/admin.md", import.meta.url), "utf8")
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** The lines of the shell in a section, without empty ones. */
const linesOf = (title: string): ReadonlyArray<string> => {
  const [, lines = ""] =
    new RegExp(`^## ${title}\\n(?:(?!\\n## )[\\s\\S])*?\`\`\`sh\\n([\\s\\S]*?)\`\`\``, "m").exec(page) ?? []
  return lines.split("\n").filter((line) => line.trim() !== "")
}

/** What a shell needs to run the lines of the page and to end: streams end after a second, and refusals are failures. */
const setup = [
  "set -e",
  "curl() {",
  '  case " $* " in',
  '    *" -N "*) command curl --fail-with-body --max-time 1 "$@" || [ $? = 28 ] ;;',
  '    *) command curl --fail-with-body "$@" ;;',
  "  esac",
  "}"
]

describe("docs/admin.md", () => {
  itNeeds("bash", "curl")("has commands that work as they stand there", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const socket = join(path, "admin.sock")
      const program = yield* Program.start(["--user", "alice:secret", "--admin", `unix:${socket}`])
      yield* program.logged({ message: "admin listens" })
      const command = join(path, "effect-socks")
      writeFileSync(command, `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`)
      chmodSync(command, 0o755)
      const target = yield* Tcp.target
      for (const title of ["By curl", "In a terminal"]) {
        const { client } = yield* Tcp.sessionOf("alice", program.port, target)
        const { localPort } = client.duplex as unknown as { readonly localPort: number }
        const listed = yield* Program.run(["sessions", "--json", "--admin", `unix:${socket}`])
        const { id } = (JSON.parse(listed.stdout) as ReadonlyArray<{ client: string; id: number }>).find(
          (session) => session.client === `127.0.0.1:${localPort}`
        )!
        const lines = linesOf(title).map((line) =>
          line
            .replaceAll("/run/effect-socks/admin.sock", socket)
            .replace(/\b17$|(?<=sessions\/)17\b/, String(id))
            .replace(/^effect-socks top$/, "effect-socks top --json --times 1")
        )
        assert.isAbove(lines.length, 6)
        const env = { PATH: `${path}:${process.env.PATH}` }
        // Each line is a command of its own: the number of the first one that fails is what bash says.
        const text = [...setup, ...lines].join("\n")
        const { code, stderr, stdout } = yield* Processes.run("bash", ["-c", text], { env })
        assert.strictEqual(code, 0, `${stderr}\n${stdout}`)
        assert.include(stdout, "alice")
        assert.include(stdout, "203.0.113.0/24")
        yield* program.logged({ message: "session", id, outcome: "ended by operator" })
      }
      yield* program.logged({ action: "reload", outcome: "done" })
    })
  )
})
