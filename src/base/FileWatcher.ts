/**
 * Changes of files, however they are made: written in place, replaced by another file
 * of the same name, as editors do, or by a link that leads elsewhere, as Kubernetes
 * does.
 *
 * The directories are watched, as a watch of a file ends when another file takes its
 * name. A notification only says when to look; the files' stamps tell what changed.
 * Where a directory cannot be watched, or a link leads out of it, a look every few
 * seconds finds the change.
 */
import { type FSWatcher, statSync, watch } from "node:fs"
import { stat } from "node:fs/promises"
import { dirname } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { stampOf } from "./FileStamp.ts"

export interface Options {
  /** How long a file has to be unchanged before a change is reported. */
  readonly quietTime?: Duration.Input
  /** How often to look without a notification. */
  readonly poll?: Duration.Input
  /** Milliseconds since the epoch: changes from this time on are reported, too, even before the stream began. */
  readonly since?: number
}

/**
 * An element for each change of any of these files. Changes before an element is
 * taken are one element. A missing file counts as unchanged, as it may be back in a
 * moment. Does not keep the process alive.
 */
export const changes = (
  paths: Iterable<string>,
  { quietTime = "100 millis", poll = "3 seconds", since = Infinity }: Options = {}
): Stream.Stream<void> =>
  Stream.callback(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const changed = () => Queue.offerUnsafe(queue, undefined)
          const watched = Array.from(paths)
          return start(watched, Duration.toMillis(quietTime), Duration.toMillis(poll), since, changed)
        }),
        (stop) => Effect.sync(stop)
      ),
    { bufferSize: 1, strategy: "sliding" }
  )

/** Returns the function that stops the watch. */
const start = (
  paths: ReadonlyArray<string>,
  quietTime: number,
  poll: number,
  since: number,
  changed: () => void
) => {
  const found = paths.map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  const marks = new Map(found.map((stats, index) => [paths[index]!, stats ? stampOf(stats) : ""]))
  const isLate = found.some((stats) => stats && Number(stats.ctimeMs) > since - coarseness)
  let before = Array.from(marks.values()).join()
  let reported = isLate ? "" : before
  let isLooking = false
  let isStopped = false
  let quietTimer: NodeJS.Timeout | undefined

  const look = async () => {
    quietTimer = undefined
    if (isLooking) return
    isLooking = true
    for (const path of paths) {
      const found = await stat(path, { bigint: true }).catch(() => undefined)
      if (found) marks.set(path, stampOf(found))
    }
    isLooking = false
    const now = Array.from(marks.values()).join()
    if (isStopped || now === reported) return
    // Twice the same: the writer is done.
    if (now === before) {
      reported = now
      changed()
    } else {
      before = now
      lookSoon()
    }
  }
  const lookSoon = () => {
    quietTimer ??= setTimeout(look, quietTime).unref()
  }

  const pollTimer = setInterval(look, poll).unref()
  if (isLate) lookSoon()
  const watchers = Array.from(new Set(paths.map(dirname)), (directory) => observe(directory, lookSoon))
  return () => {
    isStopped = true
    clearInterval(pollTimer)
    clearTimeout(quietTimer)
    for (const watcher of watchers) watcher?.close()
  }
}

/** Milliseconds by which the clock of file systems may be behind. */
const coarseness = 10

/** Watches a directory; undefined where the system cannot: too many are watched, or the directory is missing. */
const observe = (directory: string, onEvent: () => void): FSWatcher | undefined => {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent)
    return watcher.on("error", () => watcher.close())
  } catch {
    return undefined
  }
}
