/**
 * Files that change under a watch, in every way that files are changed. In the
 * time of the clock on the wall, since the file system has no other.
 */
import { mkdir, readFile, rename, rm, symlink, unlink, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as FileWatcher from "../../src/base/FileWatcher.ts"
import * as Processes from "../support/processes.ts"
import * as Temporary from "../support/temporary.ts"

/** A directory with a file in it, and what is told of the file. */
const watched = Effect.fnUntraced(function* (
  options: FileWatcher.Options,
  prepare?: (path: string) => Promise<string>
) {
  const directory = yield* Temporary.directory
  const path = yield* Effect.promise(async () => {
    const path = (await prepare?.(directory)) ?? join(directory, "a.yaml")
    await writeFile(path, "one")
    return path
  })
  const told = yield* Queue.unbounded<void>()
  const begun = yield* Deferred.make<void>()
  yield* FileWatcher.changes([path], options).pipe(
    Stream.onStart(Deferred.succeed(begun, undefined)),
    Stream.runForEach((it) => Queue.offer(told, it)),
    Effect.forkScoped
  )
  yield* Deferred.await(begun)
  // Until it is listening, and past the clock tick in which the file was written.
  yield* Effect.sleep("50 millis")
  const once = Queue.take(told).pipe(
    Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Effect.die(new Error("nobody was told")) })
  )
  const quiet = Effect.gen(function* () {
    yield* Effect.sleep("400 millis")
    assert.strictEqual(yield* Queue.size(told), 0)
  })
  return { directory, path, once, quiet }
})

/** Told by the directory in a moment, or by looking in a moment, but not both. */
const ways: Readonly<Record<string, FileWatcher.Options>> = {
  "by its directory": { quietTime: "50 millis", poll: "1 hour" },
  "by looking": { quietTime: "1 hour", poll: "50 millis" }
}

describe.concurrent.each(Object.entries(ways))("a change noticed %s", (_, options) => {
  const changes: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    "written in place": (path) => writeFile(path, "two"),
    "the same size": (path) => writeFile(path, "eno"),
    "another file by its name": async (path) => {
      await writeFile(`${path}.new`, "two")
      await rename(`${path}.new`, path)
    },
    "removed, and made again": async (path) => {
      await unlink(path)
      await writeFile(path, "one")
    },
    "another time": (path) => utimes(path, new Date(), new Date(0))
  }
  for (const [name, change] of Object.entries(changes)) {
    it.live(name, () =>
      Effect.gen(function* () {
        const { path, once, quiet } = yield* watched(options)
        yield* quiet
        yield* Effect.promise(() => change(path))
        yield* once
        // Once is enough.
        yield* quiet
        yield* Effect.promise(() => writeFile(path, "three"))
        yield* once
      })
    )
  }

  it.live("a link to a directory that is changed to another directory", () =>
    Effect.gen(function* () {
      // As Kubernetes lays out what it mounts.
      const { directory, once, quiet } = yield* watched(options, async (directory) => {
        await mkdir(join(directory, "..1"))
        await symlink("..1", join(directory, "..data"))
        await symlink(join("..data", "a.yaml"), join(directory, "a.yaml"))
        return join(directory, "a.yaml")
      })
      yield* Effect.promise(async () => {
        await mkdir(join(directory, "..2"))
        await writeFile(join(directory, "..2", "a.yaml"), "two")
        await symlink("..2", join(directory, "..tmp"))
        await rename(join(directory, "..tmp"), join(directory, "..data"))
        await rm(join(directory, "..1"), { recursive: true })
      })
      yield* once
      yield* quiet
      assert.strictEqual(yield* Effect.promise(() => readFile(join(directory, "a.yaml"), "utf8")), "two")
    })
  )
})

describe.concurrent("no change", () => {
  const both: FileWatcher.Options = { quietTime: "50 millis", poll: "50 millis" }

  it.live("is another file in the directory, or the removal of the file", () =>
    Effect.gen(function* () {
      const { path, quiet } = yield* watched(both)
      yield* Effect.promise(() => writeFile(`${path}.other`, "two"))
      yield* quiet
      yield* Effect.promise(() => unlink(path))
      yield* quiet
    })
  )

  it.live("is a missing file in a missing directory, until it exists", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "later", "a.yaml")
      const told = yield* Queue.unbounded<void>()
      yield* Stream.runForEach(FileWatcher.changes([path], both), (it) => Queue.offer(told, it)).pipe(
        Effect.forkScoped
      )
      yield* Effect.sleep("200 millis")
      assert.strictEqual(yield* Queue.size(told), 0)
      yield* Effect.promise(async () => {
        await mkdir(join(directory, "later"))
        await writeFile(path, "one")
      })
      yield* Queue.take(told)
    })
  )
})

it.live("keeps the process alive", () =>
  Effect.gen(function* () {
    const directory = yield* Temporary.directory
    const script = `
      import { changes } from ${JSON.stringify(new URL("../../dist/base/FileWatcher.js", import.meta.url))}
      import * as Effect from "effect/Effect"
      import * as Stream from "effect/Stream"
      // Synchronous, so that no fiber waits.
      Effect.runFork(Stream.runDrain(changes([${JSON.stringify(directory)}])))
      setTimeout(() => console.log("began"), 200)`
    const { code, stdout } = yield* Processes.run(process.execPath, ["--input-type=module", "-e", script])
    assert.strictEqual(code, 0)
    assert.strictEqual(stdout, "began\n")
  })
)

describe.concurrent("a change from before the watch began", () => {
  const soon = { quietTime: "50 millis", poll: "1 hour" } as const

  it.live("is reported once, if it came after the given time", () =>
    Effect.gen(function* () {
      const { once, quiet } = yield* watched({ ...soon, since: Date.now() - 1000 })
      yield* once
      yield* quiet
    })
  )

  it.live("is not reported if it came before", () =>
    Effect.gen(function* () {
      const { quiet } = yield* watched({ ...soon, since: Date.now() + 1000 })
      yield* quiet
    })
  )
})
