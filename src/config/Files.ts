/**
 * The files that settings are read from: the config file, and those in which
 * secrets are.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"

export class Files extends Context.Service<
  Files,
  {
    /**
     * All of a file as text, which is kept unless it is said otherwise. Fails with the end of a sentence that begins
     * with its name.
     */
    readonly read: (path: string, isKept?: boolean) => Effect.Effect<string, string>
    /** The paths that were asked for so far. */
    readonly seen: ReadonlySet<string>
    /** What those that could be read had in them, as far as it is kept. */
    readonly texts: ReadonlyMap<string, string>
  }
>()("effect-socks/config/Files") {
  /** The largest file that is read, in bytes. */
  static readonly limit = 16 * 1024 * 1024

  static readonly make: Effect.Effect<Files["Service"], never, FileSystem.FileSystem> = Effect.map(
    FileSystem.FileSystem,
    (files) => {
      const seen = new Set<string>()
      const texts = new Map<string, string>()
      return {
        seen,
        texts,
        read: (path, isKept = true) =>
          Effect.gen(function* () {
            seen.add(path)
            const known = (yield* Known).get(path)
            if (known !== undefined) return known
            const { type, size } = yield* Effect.mapError(files.stat(path), reason)
            // A device may have no end; a pipe has one, and no size.
            if (type !== "File" && type !== "FIFO") return yield* Effect.fail("is no file")
            if (Number(size) > Files.limit) return yield* Effect.fail("is larger than 16 MiB")
            // In pieces: to read and decode a large file at once holds everyone up.
            const utf8 = new TextDecoder("utf-8", { fatal: true })
            const pieces: Array<string> = []
            const decode = (bytes?: Uint8Array) =>
              Effect.try({
                try: () => void pieces.push(utf8.decode(bytes, { stream: bytes !== undefined })),
                catch: () => "is not UTF-8"
              })
            // A pipe has no places to read at, by which pieces are read.
            const bytes =
              type === "FIFO"
                ? Stream.fromEffect(files.readFile(path))
                : files.stream(path, { chunkSize: piece })
            yield* Stream.runForEach(Stream.mapError(bytes, reason), decode)
            yield* decode()
            const text = pieces.join("")
            if (isKept) texts.set(path, text)
            return text
          })
      }
    }
  )
}

/** The contents of files by path, as another process read them. */
export const Known = Context.Reference<ReadonlyMap<string, string>>("effect-socks/config/Files/Known", {
  defaultValue: () => new Map()
})

/** How much is read at once, in bytes. */
const piece = 256 * 1024

const reason = ({ reason }: PlatformError): string => {
  switch (reason._tag) {
    case "NotFound":
      return "does not exist"
    case "PermissionDenied":
      return "may not be read by this process"
    default:
      return "cannot be read"
  }
}
