/**
 * A fleet of many machines: whether its limits hold over histories by chance, and what it costs its store.
 *
 *     npm run build && node bench/fleet.js                # both, in a few minutes
 *     node bench/fleet.js simulate [HISTORIES] [FIRST SEED] [MACHINES,…] [SECONDS]
 *     node bench/fleet.js cost [MACHINES,…] [PACE] [SECONDS]
 *
 * With a pace of 0.1, time runs ten times slower for the machines, so that one computer can play a thousand.
 */
import { cost } from "./fleet/cost.js"
import { simulate } from "./fleet/simulate.js"

const [what = "both", ...rest] = process.argv.slice(2)
const numbers = (text) => text.split(",").map(Number)

if (what !== "cost") {
  const [histories = 60, first = 1, machines = "3,12,40", seconds = 60] = what === "simulate" ? rest : []
  const failed = await simulate({
    ...{ histories: Number(histories), first: Number(first) },
    ...{ machines: numbers(machines), seconds: Number(seconds) }
  })
  if (failed > 0) process.exitCode = 1
}
if (what !== "simulate") {
  const [machines = "1,10,100,1000", pace = 0.1, seconds = 4] = what === "cost" ? rest : []
  await cost(numbers(machines), { pace: Number(pace), seconds: Number(seconds) })
}
