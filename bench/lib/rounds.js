// Measures servers in turn, round by round, so that what the machine does
// meanwhile hits all of them alike. Each figure is of a fresh process.
import { setPriority } from "node:os"
import { setTimeout } from "node:timers/promises"
import { load, loader } from "./load.js"
import { start } from "./process.js"
import { takesPart } from "./servers.js"

/**
 * @param {readonly import("./servers.js").Server[]} servers
 * @param {readonly import("./measures.js").Measure[]} measures
 * @param {{ readonly rounds: number, readonly quick: boolean, readonly verify: boolean }} options
 * @returns {Promise<readonly import("./statistics.js").Run[]>}
 */
export const measureRounds = async (servers, measures, options) => {
  /** @type {import("./statistics.js").Run[]} */
  const runs = []
  for (let round = 1; round <= options.rounds && measures.length > 0; round++) {
    console.error(`round ${round} of ${options.rounds}`)
    for (const measure of measures) {
      for (const server of servers) {
        if (!takesPart(server, measure.group)) continue
        const result = await measureOnce(server, measure, options)
        runs.push({ round, server: server.name, measure: measure.name, ...result })
        console.error(`  ${measure.name.padEnd(9)} ${server.name.padEnd(26)} ${brief(measure, result)}`)
      }
    }
  }
  return runs
}

/**
 * @param {import("./servers.js").Server} server @param {import("./measures.js").Measure} measure
 * @param {{ readonly quick: boolean, readonly verify: boolean }} options
 * @returns {Promise<{ readonly figures: Record<string, number> } | { readonly failure: string }>}
 */
const measureOnce = async (server, measure, { quick, verify }) => {
  /** @type {import("./process.js").Running | undefined} */
  let running
  try {
    running = await start(server, measure.isFree ? { isFree: true } : {})
    if (measure.name === "start")
      return { figures: { ms: running.msToListen, ...(await load(running, ["cost"])) } }
    if (measure.before) await load(running, measure.before)
    const args = fitting((quick && measure.quick) || measure.full, server)
    const measured = verify ? [...args, "--verify"] : args
    return {
      figures: await (measure.beside ? besides(running, measure.beside, measured) : load(running, measured))
    }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await running?.stop()
  }
}

/**
 * What is measured while another load goes on. That has the lowest priority on the core that both generators share.
 * @param {import("./process.js").Running} running @param {readonly string[]} beside @param {readonly string[]} args
 */
const besides = async (running, beside, args) => {
  const other = loader(running, beside)
  try {
    if (other.pid !== undefined) setPriority(other.pid, 19)
    await setTimeout(1000)
    return await load(running, args)
  } finally {
    other.kill()
  }
}

/** With no more idle sessions than the server can hold. @param {readonly string[]} args @param {import("./servers.js").Server} server */
const fitting = (args, { mostIdle }) =>
  args[0] === "idle" && mostIdle
    ? args.map((arg, i) => (args[i - 1] === "--streams" ? String(Math.min(Number(arg), mostIdle)) : arg))
    : args

/** @param {import("./measures.js").Measure} measure @param {Awaited<ReturnType<typeof measureOnce>>} result */
const brief = (measure, result) => {
  if ("failure" in result) return `failed: ${result.failure}`
  const shown = measure.figures
    .filter(({ ratio }) => ratio === undefined)
    .map(
      ({ field, title, digits, scale = 1 }) =>
        `${(Number(result.figures[field]) * scale).toFixed(digits)} ${title}`
    )
  const errors = result.figures.errors ? `, ${result.figures.errors} errors` : ""
  return shown.join(", ") + errors
}
