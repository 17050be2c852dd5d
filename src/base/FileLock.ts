/**
 * Locks of files that only one server may keep. A lock ends with its process,
 * however the process ends.
 *
 * The lock is a Unix-domain socket on which its holder listens. When a process is
 * killed, the system stops listening, so a lock without an answer is left over and
 * may be taken. This works across containers that share a directory, where process
 * ids mean nothing, and needs no network address.
 */
import { randomBytes } from "node:crypto"
import { closeSync, constants, linkSync, lstatSync, openSync, renameSync, unlinkSync } from "node:fs"
import { connect, createServer, type Server } from "node:net"
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Why a lock cannot be taken: its holder, as a part of a sentence, or the system's error code. */
type Problem =
  | { readonly _tag: "Held"; readonly by: string }
  | { readonly _tag: "Failed"; readonly code: string }

/** Holds a lock until the scope closes. */
export const hold = (path: string): Effect.Effect<void, Problem, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(Effect.tryPromise({ try: () => take(path), catch: problemOf }), (release) =>
      Effect.sync(release)
    )
  )

const take = async (path: string): Promise<() => void> => {
  const directory = openDirectory(dirname(path))
  const name = `${basename(path)}.${randomBytes(8).toString("hex")}`
  const own = directory.at(name)
  try {
    const server = await listen(own)
    try {
      const inode = inodeOf(own)
      while (!isLinked(own, directory.at(basename(path)))) await clear(directory, basename(path))
      return () => {
        // Unless an operator has removed it and another process holds it now.
        if (inodeOf(path) === inode) remove(path)
        server.close()
      }
    } catch (error) {
      server.close()
      throw error
    } finally {
      remove(own)
    }
  } finally {
    directory.close()
  }
}

interface Directory {
  readonly at: (name: string) => string
  readonly close: () => void
}

/** Opens the directory of a lock: a long path does not fit the address of a socket, and Linux has a short path for each open directory. */
const openDirectory = (path: string): Directory => {
  const plain = { at: (name: string) => join(path, name), close: () => {} }
  if (process.platform !== "linux") return plain
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
    return {
      at: (name) => `/proc/self/fd/${descriptor}/${name}`,
      close: () => closeSync(descriptor)
    }
  } catch (error) {
    // A directory in which files may be created need not be readable.
    if (codeOf(error) === "EACCES") return plain
    throw error
  }
}

/** A listener that sends its process id to each connection, and does not keep the process alive. */
const listen = (path: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => void socket.on("error", () => {}).end(`${process.pid}\n`))
    server.once("error", reject)
    server.listen({ path, exclusive: true }, () => resolve(server.unref()))
  })

/** Gives the lock's name to this socket, if no other socket has it. */
const isLinked = (own: string, path: string): boolean => {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

/** Removes a lock that was left behind. Fails if it is held. */
const clear = async (directory: Directory, name: string): Promise<void> => {
  const path = directory.at(name)
  const inode = inodeOf(path)
  if (inode === undefined) return
  const holder = await ask(path)
  if (holder !== undefined) {
    const by = /^\d{1,10}$/.test(holder) ? `another server (process ${holder})` : "another server"
    throw { _tag: "Held", by } satisfies Problem
  }
  // Renames it first, as another process may have replaced the lock in the meantime.
  const aside = directory.at(`${name}.${randomBytes(8).toString("hex")}`)
  try {
    renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === "ENOENT") return
    throw error
  }
  const isOther = inodeOf(aside) !== inode
  if (isOther) isLinked(aside, path)
  remove(aside)
}

/** The holder of a lock, as far as it tells; undefined if no process listens. */
const ask = (path: string): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    let said = ""
    const socket = connect({ path })
    const answer = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(said.trim())
    }
    // A stopped process still holds the lock, and so does one whose answer is not a process id.
    const timer = setTimeout(answer, 1000)
    socket.on("data", (data) => {
      said = (said + data.toString("latin1")).slice(0, 20)
    })
    socket.once("end", answer)
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(undefined)
      else if (error.code === "ECONNRESET" || error.code === "EPIPE" || error.code === "EAGAIN") answer()
      else reject(error)
    })
  })

const inodeOf = (path: string): number | undefined => lstatSync(path, { throwIfNoEntry: false })?.ino

const remove = (path: string): void => {
  try {
    unlinkSync(path)
  } catch {
    // The socket is gone.
  }
}

const problemOf = (error: unknown): Problem =>
  typeof error === "object" && error !== null && "_tag" in error
    ? (error as Problem)
    : { _tag: "Failed", code: codeOf(error) }

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
