/**
 * A file that log lines are appended to. The file is opened again at SIGHUP, and within a second after the file was
 * renamed or removed, so that programs such as logrotate can take the old file away.
 *
 * SIGHUP is the signal to reload, too. A signal of its own is not to be had: SIGUSR1 starts Node's inspector, and
 * SIGUSR2 writes a report.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  statSync,
  writeSync
} from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Outlet from "./Outlet.ts"
import * as Signal from "./Signal.ts"

/** Milliseconds between two looks at the name of the file. */
const lookEvery = 1000

/** Milliseconds that the last lines may take. */
const patience = 1000

/** The owner writes, and the group reads: users and targets are in the log. */
const mode = 0o640

/** Opens a file until the scope closes, and then writes the rest. Fails with the code of the system's error. */
export const open = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<Outlet.Outlet, string, Scope.Scope> {
  const file = yield* Effect.acquireRelease(
    Effect.try({ try: () => new LogFile(path), catch: codeOf }),
    (file) => Effect.sync(() => file.close())
  )
  const outlet = Outlet.make({ sink: (bytes, offset, length) => file.write(bytes, offset, length) })
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => outlet.end(patience, () => resume(Effect.void)))
  )
  const asked = yield* Signal.listen("SIGHUP")
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        asked,
        Effect.sync(() => file.look())
      )
    )
  )
  return outlet
})

/** Whether lines can be appended to the file, or the file can be made. Fails with the code of the system's error. */
export const check = (path: string): Effect.Effect<void, string> =>
  Effect.try({
    try: () =>
      existsSync(path) ? closeSync(openSync(path, "a")) : accessSync(dirname(path), constants.W_OK),
    catch: codeOf
  })

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

class LogFile {
  private readonly path: string
  private fd: number
  private lookedAt = performance.now()

  constructor(path: string) {
    this.path = path
    this.fd = openSync(path, "a", mode)
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    if (performance.now() - this.lookedAt > lookEvery) this.look()
    return writeSync(this.fd, bytes, offset, length)
  }

  /** Opens the file again if there is another one of its name, or none. */
  look(): void {
    this.lookedAt = performance.now()
    if (this.isSame()) return
    try {
      const next = openSync(this.path, "a", mode)
      closeSync(this.fd)
      this.fd = next
    } catch {
      // Such as a directory that is gone. The lines go to the old file until the next look.
    }
  }

  close(): void {
    closeSync(this.fd)
  }

  private isSame(): boolean {
    const named = statSync(this.path, { throwIfNoEntry: false })
    const opened = fstatSync(this.fd)
    return named?.ino === opened.ino && named.dev === opened.dev
  }
}
