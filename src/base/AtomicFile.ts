/**
 * Files that are replaced as a whole: after a power failure there is the old file or
 * the new one.
 *
 * Other users may write in the directory. The new file has a random name and must
 * not exist before (O_EXCL), so that no link in the directory leads the text into
 * another file.
 */
import { randomBytes } from "node:crypto"
import { type BigIntStats, constants } from "node:fs"
import { access, type FileHandle, open, rename, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/**
 * Replaces a file by one with this text. By default only its owner may read it; it gets the permissions and the owner of
 * `like`, as far as this process may give it those. The directory has to exist.
 */
export const replace = async (
  path: string,
  text: string,
  like?: Pick<BigIntStats, "mode" | "uid" | "gid">
): Promise<BigIntStats> => {
  const next = `${path}.${randomBytes(8).toString("hex")}.new`
  const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_WRONLY } = constants
  const file = await open(next, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600)
  try {
    const stats = await closing(file, async () => {
      await file.writeFile(pieces(text))
      if (like) {
        // Before the mode: a change of the owner may take bits of it.
        await file.chown(Number(like.uid), Number(like.gid)).catch(() => {})
        await file.chmod(Number(like.mode & 0o777n))
      }
      await file.sync()
      await rename(next, path)
      // After the rename, which changes the file's status, too.
      return file.stat({ bigint: true })
    })
    await syncDirectory(dirname(path))
    return stats
  } catch (error) {
    // Missing if it was renamed already.
    await unlink(next).catch(() => {})
    throw error
  }
}

/** A long text in pieces, so that not all of it is made into bytes at once. */
function* pieces(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + longest, text.length)
    // Two halves of a character stay together.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to++
    yield text.slice(from, to)
    from = to
  }
}

const longest = 128 * 1024

/** Fails if the file could not be replaced, as far as the system tells without a try. */
export const canReplace = (path: string): Promise<void> => access(dirname(path), constants.W_OK)

/** Writes the directory to the disk, which has the new name. */
const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    // A directory in which files may be created need not be readable.
    if (cause.code !== "EACCES") throw cause
  })
  if (directory) await closing(directory, () => directory.sync())
}

const closing = async <A>(file: FileHandle, use: () => Promise<A>): Promise<A> => {
  try {
    return await use()
  } finally {
    await file.close()
  }
}
