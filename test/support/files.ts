/**
 * A file system of a few files in memory.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"

/** Of texts, or bytes, by path; or `Directory` for one. */
export const layer = (
  files: Readonly<Record<string, string | Uint8Array>>
): Layer.Layer<FileSystem.FileSystem> => {
  const find = (path: string) => {
    const content = files[path]
    return content === undefined
      ? Effect.fail(PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "open" }))
      : Effect.succeed(content)
  }
  const bytes = (content: string | Uint8Array) =>
    typeof content === "string" ? new TextEncoder().encode(content) : content
  return FileSystem.layerNoop({
    stat: (path) =>
      Effect.map(find(path), (content) => ({
        ...stats,
        type: content === "Directory" ? content : "File",
        size: ByteSize.fromInputUnsafe(bytes(content).length)
      })),
    // In pieces, that end anywhere in a character.
    stream: (path) =>
      Stream.flatMap(Stream.fromEffect(Effect.map(find(path), bytes)), (bytes) =>
        Stream.fromIterable([bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)])
      )
  })
}

const stats = {
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0n,
  ino: Option.none(),
  mode: 0o600,
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  blksize: Option.none(),
  blocks: Option.none()
}
