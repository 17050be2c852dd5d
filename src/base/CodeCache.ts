/**
 * Bundled files, loaded with V8's code cache: what V8 has compiled of them once is read from a file, and not compiled
 * again at each start. V8 takes a cache only if its own version, its flags and the length of the source are those of
 * the cache; otherwise it compiles the source. A cache that is older than its source is left alone, as of a source of the
 * same length V8 would run what it was before.
 *
 * The caches lie beside the bundled files, as whoever may write there may change the program itself.
 *
 * Measured: starting and stopping takes 195 ms of CPU instead of 300.
 */
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { Script } from "node:vm"

/** A directory of CommonJS files that require each other by `./name`. None calls `import()`, which Node refuses in what came from a cache. */
export interface Bundle {
  /** Runs a file, unless it has been run. Returns its exports. */
  readonly load: (name: string) => unknown
  /** The files that were run without a cache, or with one that V8 has refused. */
  readonly compiled: () => ReadonlyArray<string>
  /** Writes the caches of all files of the directory, with the functions that have been called so far. */
  readonly writeCaches: () => void
}

export const open = (directory: string): Bundle => {
  const scripts = new Map<string, Script>()
  const modules = new Map<string, { exports: unknown }>()

  const script = (name: string): Script => {
    const known = scripts.get(name)
    if (known !== undefined) return known
    const filename = join(directory, name)
    const cachedData = cacheOf(filename)
    const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, "utf8")}\n})`
    const made = new Script(source, {
      filename,
      ...(cachedData && { cachedData })
    })
    scripts.set(name, made)
    return made
  }

  const load = (name: string): unknown => {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    modules.set(name, module)
    const filename = join(directory, name)
    const requireOther = createRequire(filename)
    const require = (id: string) => (id.startsWith("./") ? load(id.slice(2)) : requireOther(id))
    script(name).runInThisContext()(module.exports, require, module, filename, directory)
    return module.exports
  }

  return {
    load,
    compiled: () => [...modules.keys()].filter((name) => scripts.get(name)?.cachedDataRejected !== false),
    writeCaches: () => {
      for (const name of readdirSync(directory).filter((name) => name.endsWith(".cjs"))) {
        const cache = placeOf(join(directory, name))
        // A process that starts meanwhile finds no cache or a whole one.
        writeFileSync(`${cache}.new`, script(name).createCachedData())
        renameSync(`${cache}.new`, cache)
      }
    }
  }
}

/**
 * What the name of a cache adds to that of its file. V8 does not notice that a cache is of another kind of processor, and
 * crashes with it.
 */
export const suffix = `.${process.platform}-${process.arch}.cache`

const placeOf = (filename: string) => filename + suffix

const cacheOf = (filename: string): Buffer | undefined => {
  const cache = placeOf(filename)
  const written = statSync(cache, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return written < statSync(filename).mtimeMs ? undefined : readFileSync(cache)
}
