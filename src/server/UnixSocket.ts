/**
 * The path and the permissions of a socket in the file system. Node removes the path
 * when the listener closes.
 */
import { chmodSync, lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"

/**
 * Frees a path: removes the socket of a server that ended without removing it. Fails
 * with the code EADDRINUSE where a server still listens, with ENOTSOCK where the path
 * is of another kind of file, and with ENOENT where its directory is missing.
 */
export const clear = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, string> {
  const file = yield* attempt(() => lstatSync(path, { throwIfNoEntry: false }))
  // `listen` would call this EACCES.
  if (file === undefined) return void (yield* attempt(() => lstatSync(dirname(path))))
  if (!file.isSocket()) return yield* Effect.fail("ENOTSOCK")
  const answer = yield* knock(path)
  if (answer === "ECONNREFUSED") return yield* attempt(() => unlinkSync(path))
  return yield* Effect.fail(answer)
})

/**
 * Runs a synchronous `bind`, whose file has these permissions from its first
 * moment on: the mask is the process's, but nothing else runs in the meantime.
 */
export const withMode = <A>(mode: number, bind: () => A): A => {
  const mask = process.umask(0o777 & ~mode)
  try {
    return bind()
  } finally {
    process.umask(mask)
  }
}

/** Changes those of a socket that is there. */
export const setMode = (path: string, mode: number): void => {
  try {
    chmodSync(path, mode)
  } catch {
    // Gone, or not ours.
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
