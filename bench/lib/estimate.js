// How long a run is going to take, more or less.
import { growthRounds } from "./growth.js"
import { takesPart } from "./servers.js"

/**
 * @param {readonly import("./servers.js").Server[]} servers @param {readonly import("./measures.js").Measure[]} measures
 * @param {{ readonly quick: boolean, readonly rounds: number, readonly only: readonly string[] }} options
 * @returns {number} seconds, where nothing else takes the cores
 */
export const estimate = (servers, measures, options) => {
  const { quick, rounds, only } = options
  const round = measures.map((measure) => {
    const here = servers.filter((server) => takesPart(server, measure.group))
    const args = (quick && measure.quick) || measure.full
    return here.length * (secondsOf(args) + (measure.before ? secondsOf(measure.before) : 0) + starting)
  })
  const growth = quick ? 40 * growthRounds(options) + 20 : 75 * growthRounds(options) + 190
  return (
    rounds * round.reduce((sum, seconds) => sum + seconds, 0) +
    (only.includes("growth") ? growth : 0) +
    (only.includes("heap") ? 40 : 0) +
    (only.includes("profile") ? 60 : 0)
  )
}

/** A server starts and stops. */
const starting = 0.5

/** What the load generator needs for this. @param {readonly string[]} args */
const secondsOf = (args) => {
  /** @param {string} name */
  const of = (name) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : 0)
  const warmUp = args[0] === "idle" ? 1.1 : 0.5
  const sessions = of("--first") + of("--total") + (args[0] === "idle" ? of("--streams") : 0)
  return args.length === 0 ? 0 : warmUp + of("--seconds") + of("--hold") + sessions * 0.4e-3
}

/** @param {number} seconds */
export const duration = (seconds) =>
  seconds < 90 ? `${Math.ceil(seconds / 10) * 10} seconds` : `${Math.ceil(seconds / 60)} minutes`
