/**
 * Config files in memory, read.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { table } from "../../src/cli/Settings.ts"
import * as ConfigFile from "../../src/config/ConfigFile.ts"
import { Files } from "../../src/config/Files.ts"
import * as MemoryFiles from "./files.ts"

/** What `f.yaml` of this content says, among these files. */
export const read = (
  text: string | Uint8Array,
  {
    files = {},
    env = {},
    forms = ConfigFile.formsOf(table)
  }: {
    readonly files?: Readonly<Record<string, string>>
    readonly env?: Readonly<Record<string, string>>
    readonly forms?: ConfigFile.Forms
  } = {}
) =>
  Effect.gen(function* () {
    const reader = yield* Files.make
    return yield* ConfigFile.read("f.yaml", forms).pipe(Effect.provideService(Files, reader))
  }).pipe(
    Effect.provide(
      Layer.merge(
        MemoryFiles.layer({ "f.yaml": text, ...files }),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...env }))
      )
    )
  )

/** All that is wrong with it, each error on its line. */
export const errors = (...args: Parameters<typeof read>) =>
  Effect.map(Effect.flip(read(...args)), ({ message }) => message.split("\n"))
