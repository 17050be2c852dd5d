/**
 * Histories of fleets by chance, as the tests have them, but many and large.
 */
import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const faults = ["share", "deny", "keep"]

/** Runs so many histories, of seeds from `first` on. Returns how many of them something did not hold in. */
export const simulate = async ({ histories, first, machines, seconds }) => {
  const { run } = await load()
  const total = { machines: 0, seconds: 0, begun: 0, faults: 0, scripts: 0 }
  const most = { most: 0, longestAnswer: 0, longestCalmAnswer: 0, shares: 0, ahead: 0 }
  let failed = 0
  for (let seed = first; seed < first + histories; seed++) {
    const plan = {
      ...{ seed, machines: machines[seed % machines.length], seconds },
      fault: faults[Math.floor(seed / 3) % 3],
      missed: seed % 4 === 0 ? 0.1 : 0,
      drift: seed % 2 === 0 ? 0.01 : 0
    }
    try {
      const shown = run(plan)
      total.machines += plan.machines
      total.seconds += seconds
      total.begun += shown.begun
      total.scripts += shown.scripts
      for (const count of Object.values(shown.faults)) total.faults += count
      for (const field of Object.keys(most)) most[field] = Math.max(most[field], shown[field])
    } catch (error) {
      failed++
      console.log(`${JSON.stringify(plan)}: ${error.message}`)
    }
  }
  console.log(
    `Histories: ${histories}, seeds from ${first} on, of ${machines.join(", ")} machines and ${seconds} seconds each. ` +
      `Machines: ${total.machines}, sessions: ${total.begun}, faults: ${total.faults}, calls of the store: ${total.scripts}. ` +
      `Histories in which something did not hold: ${failed}.`
  )
  console.log(
    `The most sessions at once: ${most.most.toFixed(1)} times the limit, those of machines without a store among them. ` +
      `Shares in total: ${most.shares.toFixed(2)}. Tokens ahead: ${most.ahead.toFixed(0)} ms of the rate. ` +
      `The longest answer: ${most.longestAnswer.toFixed(0)} ms, ${most.longestCalmAnswer.toFixed(0)} ms when all was well.`
  )
  return failed
}

/** The histories of the tests, as a file that Node runs. */
const load = async () => {
  const directory = fileURLToPath(new URL("../.build/", import.meta.url))
  mkdirSync(directory, { recursive: true })
  const input = fileURLToPath(new URL("../../test/support/fleet-history.ts", import.meta.url))
  const bundle = await rolldown({ input, platform: "node", external: ["koffi"], logLevel: "silent" })
  await bundle.write({ file: `${directory}fleet-history.mjs`, codeSplitting: false })
  return import(`${directory}fleet-history.mjs`)
}
