// The load generator: built from C, run against a server.
import { execFile, spawn, spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, statSync } from "node:fs"
import { promisify } from "node:util"
import { inBench } from "./paths.js"

const program = inBench(".build/load")

/** Compiles it, unless it is newer than its sources. */
export const build = () => {
  const files = readdirSync(inBench("load")).map((name) => inBench(`load/${name}`))
  const built = statSync(program, { throwIfNoEntry: false })
  if (built && files.every((file) => statSync(file).mtimeMs < built.mtimeMs)) return
  mkdirSync(inBench(".build"), { recursive: true })
  const sources = files.filter((file) => file.endsWith(".c"))
  const { error, status } = spawnSync("cc", ["-std=gnu17", "-O2", "-Wall", "-o", program, ...sources], {
    stdio: "inherit"
  })
  if (error || status !== 0) {
    throw new Error(
      "The load generator is written in C: it needs Linux and a C compiler called cc (Debian: apt-get install gcc libc6-dev)"
    )
  }
}

/**
 * @param {Pick<import("./process.js").Running, "pid" | "port" | "generatorCore">} server
 * @param {readonly string[]} args
 * @returns {Promise<Record<string, number>>} what it measured
 */
export const load = async (server, args) => {
  try {
    const { stdout } = await promisify(execFile)(program, loadArgs(server, args), { timeout: 700_000 })
    return JSON.parse(stdout)
  } catch (error) {
    const { stderr, stdout } = /** @type {{ stderr?: string, stdout?: string }} */ (error)
    throw new Error(stderr?.trim() || stdout?.trim() || String(error))
  }
}

/** The same as a process, for who wants to talk with it. @param {Parameters<typeof load>} args */
export const loader = (...args) => spawn(program, loadArgs(...args), { stdio: ["pipe", "pipe", "inherit"] })

/** @param {Pick<import("./process.js").Running, "pid" | "port" | "generatorCore">} server @param {readonly string[]} args */
const loadArgs = ({ pid, port, generatorCore }, args) => [
  ...args,
  ...["--proxy", String(port), "--pid", String(pid)],
  ...(generatorCore === undefined ? [] : ["--core", String(generatorCore)])
]
