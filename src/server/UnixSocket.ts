/**
 * The path and the permissions of a Unix-domain socket. Node removes the path when the listener closes.
 */
import { chmodSync, lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"

/**
 * Removes the stale socket of a server that ended without removing it. Fails with EADDRINUSE if a server still listens,
 * with ENOTSOCK if the path is another kind of file, and with ENOENT if the directory does not exist.
 */
export const clear = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, string> {
  const file = yield* attempt(() => lstatSync(path, { throwIfNoEntry: false }))
  // For a missing directory `listen` would fail with EACCES.
  if (file === undefined) return void (yield* attempt(() => lstatSync(dirname(path))))
  if (!file.isSocket()) return yield* Effect.fail("ENOTSOCK")
  const answer = yield* knock(path)
  if (answer === "ECONNREFUSED") return yield* attempt(() => unlinkSync(path))
  return yield* Effect.fail(answer)
})

/**
 * Runs a synchronous `bind`, whose socket file has these permissions from the start. The umask is the whole process's,
 * but no other code runs during `bind`.
 */
export const withMode = <A>(mode: number, bind: () => A): A => {
  const mask = process.umask(0o777 & ~mode)
  try {
    return bind()
  } finally {
    process.umask(mask)
  }
}

/** Changes the permissions of an existing socket file. */
export const setMode = (path: string, mode: number): void => {
  try {
    chmodSync(path, mode)
  } catch {
    // The file is gone, or has another owner.
  }
}

const knock = (path: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = connect({ path })
    socket.once("connect", () => resume(Effect.succeed("EADDRINUSE")))
    socket.once("error", (error) => resume(Effect.succeed(codeOf(error))))
    return Effect.sync(() => socket.destroy())
  })

const attempt = <A>(run: () => A): Effect.Effect<A, string> => Effect.try({ try: run, catch: codeOf })

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
