/**
 * Files that are kept: each is replaced as a whole, so that it is the old one or
 * the new one whenever the power fails.
 *
 * The directory may be one in which others write, too. The new file has a name
 * that nobody can foresee and is created by this call or not at all, so that no
 * link that lies there leads the text into another file.
 */
import { randomBytes } from "node:crypto"
import { type BigIntStats, constants } from "node:fs"
import { access, type FileHandle, open, rename, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** Puts a file with this text in the path's place, for its owner only. Its directory has to exist. */
export const replace = async (path: string, text: string): Promise<BigIntStats> => {
  const next = `${path}.${randomBytes(8).toString("hex")}.new`
  const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_WRONLY } = constants
  const file = await open(next, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600)
  try {
    const stats = await closing(file, async () => {
      await file.writeFile(text)
      await file.sync()
      await rename(next, path)
      // Only now: a new name is a change of the file, too.
      return file.stat({ bigint: true })
    })
    await syncDirectory(dirname(path))
    return stats
  } catch (error) {
    // Gone, if it has the path's name already.
    await unlink(next).catch(() => {})
    throw error
  }
}

/** Fails where it could not be replaced, as far as can be told without doing it. */
export const canReplace = (path: string): Promise<void> => access(dirname(path), constants.W_OK)

/** The new name is in the directory, which is a file too. */
const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    // To put files into a directory takes no leave to read it.
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
