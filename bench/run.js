// Measures this server beside others: see README.md, or npm run bench -- --help.
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { duration, estimate } from "./lib/estimate.js"
import { growthRounds, measureGrowth } from "./lib/growth.js"
import { growthReport } from "./lib/growthReport.js"
import { heapReport, measureHeap } from "./lib/heap.js"
import { build } from "./lib/load.js"
import { describe, sentence } from "./lib/machine.js"
import { measures } from "./lib/measures.js"
import { readOptions } from "./lib/options.js"
import { inBench } from "./lib/paths.js"
import { measureProfile, profileReport } from "./lib/profile.js"
import { publish } from "./lib/publish.js"
import { measureRounds } from "./lib/rounds.js"
import { servers, takesPart, versionIfHere } from "./lib/servers.js"
import { resultTables } from "./lib/tables.js"

const main = async () => {
  const options = readOptions(
    process.argv.slice(2),
    servers.map(({ name }) => name)
  )
  if (!existsSync(inBench("node_modules"))) {
    console.error("Installing the servers of npm that this one is measured beside…")
    execFileSync("npm", ["ci", "--silent", "--ignore-scripts", "--prefix", inBench(".")], {
      stdio: "inherit"
    })
  }
  if (options.list) {
    for (const server of servers)
      console.log(`${server.name.padEnd(26)} ${versionIfHere(server) ?? "not here"}`)
    return
  }
  build()

  const wanted = servers.filter(
    (server) =>
      [server.name, server.variantOf ?? ""].some((name) => options.servers.includes(name)) &&
      options.only.some((group) => takesPart(server, group))
  )
  const here = wanted.filter((server) => versionIfHere(server) !== undefined)
  for (const server of wanted) {
    if (here.includes(server)) continue
    const hint = server.hint ? ` (${server.hint})` : ""
    console.error(`Not on this machine, and left out: ${server.name}${hint}`)
  }

  const machine = describe(here)
  const chosen = measures.filter(
    ({ group, quick }) => options.only.includes(group) && (quick || !options.quick)
  )
  const began = performance.now()
  console.error(
    `About ${duration(estimate(here, chosen, options))}, and longer where other work needs the cores: ` +
      `servers: ${here.length}, rounds: ${options.rounds}`
  )
  const runs = await measureRounds(here, chosen, options)
  const growth = options.only.includes("growth") ? await measureGrowth(here, options) : []
  const heap = options.only.includes("heap") ? await measureHeap(options) : []
  const profile = options.only.includes("profile") ? await measureProfile(options) : []

  console.error(`Measured in ${duration((performance.now() - began) / 1000)}`)

  const sections = Object.entries({ results: runs, growth, heap, profile }).filter(
    ([, figures]) => figures.length > 0
  )
  /** @type {Record<string, string>} */
  const texts = {
    results: `${sentence(machine, `medians of rounds: ${options.rounds}`, has(runs))}\n\n${resultTables(runs)}`,
    growth: `${sentence(machine, `medians of rounds: ${growthRounds(options)}`, has(growth.flatMap(({ points }) => points)))}\n\n${growthReport(growth)}`,
    heap: `${sentence(machine, "one run", has(heap))}\n\n${heapReport(heap)}`,
    profile: `${sentence(machine, "one run", has(profile))}\n\n${profileReport(profile)}`
  }
  for (const [name, figures] of sections) {
    console.log(`${texts[name]}\n`)
    if (options.publish) {
      publish(name, String(texts[name]))
      // Where else they went is this machine's affair.
      write(inBench(`results/${name}.json`), { machine, options: { ...options, json: undefined }, figures })
    }
  }
  write(options.json ?? inBench("results/latest.json"), { machine, options, ...Object.fromEntries(sections) })
  if (runs.some(({ failure }) => failure !== undefined)) process.exitCode = 1
}

/** @param {readonly { readonly server: string }[]} figures @returns {(server: string) => boolean} */
const has = (figures) => (name) => figures.some(({ server }) => server === name)

/** @param {string} path @param {unknown} figures */
const write = (path, figures) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(figures, null, 1)}\n`)
  console.error(`Figures are in ${path}`)
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
