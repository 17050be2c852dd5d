/**
 * The service that reads the files of settings: the config file, files with secrets,
 * and files of targets.
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
     * The text of a file, which is kept in `texts` unless `isKept` is false. Fails with the end of a sentence that
     * begins with the file's name.
     */
    readonly read: (path: string, isKept?: boolean) => Effect.Effect<string, string>
    /** The paths of all files that were read, or could not be read. */
    readonly seen: ReadonlySet<string>
    /** The texts that are kept, by path. */
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
            // In pieces, because reading and decoding a large file at once would stop all sessions.
            const utf8 = new TextDecoder("utf-8", { fatal: true })
            const pieces: Array<string> = []
            const decode = (bytes?: Uint8Array) =>
              Effect.try({
                try: () => void pieces.push(utf8.decode(bytes, { stream: bytes !== undefined })),
                catch: () => "is not UTF-8"
              })
            // A pipe cannot be read at an offset.
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

/** The texts of files by path, as another process has read them. */
export const Known = Context.Reference<ReadonlyMap<string, string>>("effect-socks/config/Files/Known", {
  defaultValue: () => new Map()
})

/** The size of a piece in bytes. */
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
