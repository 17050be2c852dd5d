/**
 * `top` in a terminal.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { itNeeds } from "../support/needs.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** `top` in a terminal of 100 columns, which then says how it left the terminal. */
const terminal = Effect.fnUntraced(function* (admin: string, env: Readonly<Record<string, string>> = {}) {
  const path = yield* directory
  const line = `tty > ${path}/tty; stty cols 100 rows 20; ${process.execPath} ${main} top --admin ${admin} --interval 1; echo "ended $?"; stty -a`
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("script", ["-qfec", line, "/dev/null"], {
        env: { ...process.env, TERM: "xterm", NO_COLOR: "", ...env },
        stdio: ["pipe", "pipe", "inherit"]
      })
    ),
    (child: ChildProcess) => Effect.sync(() => child.kill("SIGKILL"))
  )
  let text = ""
  child.stdout!.setEncoding("utf8").on("data", (more: string) => {
    text += more
  })
  return {
    text: () => text,
    /** What is on the screen: what was written since its last beginning. */
    screen: () => text.slice(text.lastIndexOf("\u001b[H")),
    press: (keys: string) => Effect.sync(() => void child.stdin!.write(keys)),
    resize: (columns: number, rows: number) =>
      Effect.sync(() => {
        const tty = readFileSync(join(path, "tty"), "utf8").trim()
        spawnSync("stty", ["-F", tty, "cols", String(columns), "rows", String(rows)])
      })
  }
})

const started = Effect.gen(function* () {
  const admin = `unix:${join(yield* directory, "admin.sock")}`
  const program = yield* Program.start(["--user", "alice:secret", "--admin", admin])
  yield* program.logged({ message: "admin listens" })
  return { admin, program }
})

describe("top", () => {
  itNeeds("script", "stty")(
    "sorts, ends a session, follows the size of the terminal, and leaves it clean",
    () =>
      Effect.gen(function* () {
        const { admin, program } = yield* started
        const target = yield* Tcp.target
        for (let i = 0; i < 3; i++) yield* Tcp.sessionOf("alice", program.port, target)
        const { text, screen, press, resize } = yield* terminal(admin)
        yield* until(() => screen().match(/alice/g)?.length === 3 && screen().includes("sorted by received"))
        yield* press("s")
        yield* until(() => screen().includes("sorted by sent, down"))
        yield* press("r")
        yield* until(() => /sorted by sent \|/.test(screen()))
        // Another row, by its arrow key.
        const before = chosen(screen())
        yield* press("\u001b[B")
        const after = yield* until(() => chosen(screen()) !== before && chosen(screen()))
        yield* press("k")
        yield* program.logged({ message: "session", id: Number(after), outcome: "ended by operator" })
        yield* until(() => screen().match(/alice/g)?.length === 2)
        yield* resize(50, 8)
        yield* until(() =>
          screen()
            .split("\r\n")
            .every((line) => visible(line).length <= 50)
        )
        assert.isAtMost(screen().split("\r\n").length, 8)
        yield* press("q")
        yield* until(() => text().includes("ended 0") && / icanon/.test(text()))
        const end = text().slice(text().lastIndexOf("\u001b[?1049l"))
        assert.match(end, / echo /)
        assert.isAbove(text().lastIndexOf("\u001b[?25h"), text().lastIndexOf("\u001b[?25l"))
        assert.isAbove(text().lastIndexOf("\u001b[?7h"), text().lastIndexOf("\u001b[?7l"))
      })
  )

  itNeeds("script", "stty")("ends with the server, and by Ctrl-C; and has no styles with NO_COLOR", () =>
    Effect.gen(function* () {
      const { admin, program } = yield* started
      const target = yield* Tcp.target
      yield* Tcp.sessionOf("alice", program.port, target)
      const one = yield* terminal(admin, { NO_COLOR: "1" })
      const other = yield* terminal(admin)
      yield* until(() => one.screen().includes("alice") && other.screen().includes("alice"))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: styles.
      assert.notMatch(one.text(), /\u001b\[[\d;]*m/)
      assert.match(one.screen(), /^> +\d+ +alice/m)
      yield* one.press("\u0003")
      yield* until(() => one.text().includes("ended 0"))
      yield* program.kill("SIGKILL")
      yield* until(() => / icanon/.test(other.text()))
      assert.include(other.text(), "ended 1")
      assert.match(other.text().slice(other.text().lastIndexOf("\u001b[?1049l")), /no server answers at/)
    })
  )
})

/** The number of the chosen session. */
const chosen = (screen: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the style of the chosen row.
  /\u001b\[7m *(\d+) /.exec(screen)?.[1]

/** Without escape sequences. */
const visible = (line: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those of the screen.
  line.replaceAll(/\u001b\[[?\d;]*[A-Za-z]|\r/g, "")
