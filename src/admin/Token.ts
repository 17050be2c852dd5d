/**
 * The bearer token of the admin listener: that of the settings, or one that the server makes and keeps in a file.
 */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { mkdir, open } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as AtomicFile from "../base/AtomicFile.ts"
import { StateFailed } from "../Errors.ts"
import type { AdminAddress, AdminSettings } from "./Settings.ts"

export interface Token {
  readonly token: Redacted.Redacted
  /** The file that keeps the token; undefined for a token of the settings. */
  readonly path: string | undefined
}

type Settings = Pick<AdminSettings["Service"], "adminToken"> & {
  readonly admin: AdminAddress
  readonly stateDir: string | undefined
}

/** The token of the settings; otherwise that in the file, which is made where there is none. */
export const kept = (settings: Settings): Effect.Effect<Token, StateFailed> =>
  ofSettings(settings, (path) =>
    Effect.tryPromise({
      try: async () => {
        const known = await readToken(path)
        if (known !== undefined) return known
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        const made = randomBytes(32).toString("base64url")
        await AtomicFile.replace(path, `${made}\n`)
        return made
      },
      catch: (cause) => failed(path, cause)
    })
  )

/** The token of the settings; otherwise that in the file. Fails if there is no file. */
export const known = (settings: Settings): Effect.Effect<Token, StateFailed> =>
  ofSettings(settings, (path) =>
    Effect.flatMap(
      Effect.tryPromise({ try: () => readToken(path), catch: (cause) => failed(path, cause) }),
      (found) =>
        found === undefined
          ? Effect.fail(
              new StateFailed({
                path,
                reason:
                  "there is no such file. If the server has a --state-dir, its token is there: give the same --state-dir or --config, or --admin-token"
              })
            )
          : Effect.succeed(found)
    )
  )

const ofSettings = (
  settings: Settings,
  fromFile: (path: string) => Effect.Effect<string, StateFailed>
): Effect.Effect<Token, StateFailed> => {
  const { adminToken } = settings
  if (adminToken !== undefined) return Effect.succeed({ token: adminToken, path: undefined })
  const path = pathOf(settings)
  return Effect.map(fromFile(path), (text) => ({ token: Redacted.make(text), path }))
}

/** Where the token is kept: in the state directory, beside the socket, or in the state of this user. */
export const pathOf = ({ admin, stateDir }: Pick<Settings, "admin" | "stateDir">): string => {
  if (stateDir !== undefined) return join(stateDir, "admin-token")
  if (admin._tag === "UnixPathAddress") return `${admin.path}.token`
  return join(process.env.XDG_STATE_HOME || join(homedir(), ".local/state"), "effect-socks", "admin-token")
}

/** Undefined if there is no file. Fails for a file that others can read or have written, or that has no token. */
const readToken = async (path: string): Promise<string | undefined> => {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((cause) => {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw cause
  })
  if (file === undefined) return undefined
  try {
    const { mode, uid } = await file.stat()
    const own = process.getuid?.()
    if (own !== undefined && own !== 0 && uid !== own) throw new Error("it is another user's")
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new Error("others can read it: its permissions have to be 0600")
    }
    const text = (await file.readFile("utf8")).trim()
    if (!/^[\w.~+/-]{16,512}=*$/.test(text)) throw new Error("it has no token of 16 characters or more")
    return text
  } finally {
    await file.close()
  }
}

const failed = (path: string, cause: unknown): StateFailed =>
  new StateFailed({ path, reason: (cause as Error).message })
