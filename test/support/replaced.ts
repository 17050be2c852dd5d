/**
 * Parts of modules that do what a test says, while the tests of its file run. Other
 * files run in the same process, and have those parts as they are.
 */
import { syncBuiltinESMExports } from "node:module"
import { afterAll, beforeAll } from "@effect/vitest"
import { vi } from "vitest"

/** Parts of a module of Node, which is given by its default export. */
export const replaceOfNode = <M extends object>(module: M, parts: { readonly [K in keyof M]?: unknown }) => {
  const own = Object.fromEntries(Object.keys(parts).map((name) => [name, module[name as keyof M]]))
  const put = (values: object) => {
    Object.assign(module, values)
    syncBuiltinESMExports()
  }
  beforeAll(() => put(parts))
  afterAll(() => put(own))
}

/** An export of a source, given by the namespace of its module. */
export const replaceExport = <M extends object, K extends keyof M & string>(
  module: M,
  name: K,
  value: M[K]
) => {
  beforeAll(() => void vi.spyOn(module, name as never, "get").mockReturnValue(value as never))
  afterAll(() => void vi.restoreAllMocks())
}
