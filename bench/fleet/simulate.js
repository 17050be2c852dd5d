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
  const total = { machines: 0, begun: 0, tokens: 0, bans: 0, bytes: 0, faults: 0, scripts: 0 }
  const most = { most: 0, heldShares: 0, shares: 0, ahead: 0, miscounted: 0 }
  const times = { longestAnswer: 0, longestCalmAnswer: 0, longestTokenless: 0 }
  Object.assign(times, { longestShareless: 0, longestUnbanned: 0 })
  let leastShares = 1
  let failed = 0
  for (let seed = first; seed < first + histories; seed++) {
    const plan = {
      ...{ seed, machines: machines[seed % machines.length], seconds },
      fault: faults[Math.floor(seed / 3) % 3],
      missed: seed % 4 === 0 ? 0.1 : 0,
      drift: seed % 2 === 0 ? 0.01 : 0,
      remembers: seed % 5 < 2
    }
    try {
      const shown = run(plan)
      total.machines += plan.machines
      for (const count of Object.values(shown.faults)) total.faults += count
      for (const field of ["begun", "tokens", "bans", "bytes", "scripts"]) total[field] += shown[field]
      for (const all of [most, times]) {
        for (const field of Object.keys(all)) all[field] = Math.max(all[field], shown[field])
      }
      leastShares = Math.min(leastShares, shown.leastShares)
    } catch (error) {
      failed++
      console.log(`${JSON.stringify(plan)}: ${error.message}`)
      if (process.env.DEBUG) console.log(error.stack)
    }
  }
  const share = (number) => number.toFixed(4)
  const time = (number) => `${number.toFixed(0)} ms`
  console.log(
    `Histories: ${histories}, seeds from ${first} on, of ${machines.join(", ")} machines and ${seconds} seconds each. ` +
      `Machines: ${total.machines}, sessions: ${total.begun}, tokens: ${total.tokens}, bans: ${total.bans}, ` +
      `GiB of quotas: ${(total.bytes / 2 ** 30).toFixed(0)}, faults: ${total.faults}, calls of the store: ${total.scripts}. ` +
      `Histories in which something did not hold: ${failed}.`
  )
  console.log(
    `The most sessions at once: ${most.most.toFixed(1)} times the limit, those of machines without a store among them. ` +
      `Shares in total: ${share(most.heldShares)} of machines that had the store all along, ${share(most.shares)} with those ` +
      `that came back. When all was well: at least ${share(leastShares)} with members in need. ` +
      `Tokens ahead: ${time(most.ahead)} of the rate. Bytes that quotas counted wrongly: ${most.miscounted}.`
  )
  console.log(
    `The longest times: ${time(times.longestAnswer)} for an answer, ${time(times.longestUnbanned)} for a ban; when all was well, ` +
      `${time(times.longestCalmAnswer)} for an answer, ${time(times.longestShareless)} without a share, ` +
      `${time(times.longestTokenless)} until each machine had a token.`
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
