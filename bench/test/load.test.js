// The load generator finds wrong bytes, and a server that lets nothing through.
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { build, load } from "../lib/load.js"
import { inBench } from "../lib/paths.js"
import { start } from "../lib/process.js"

before(build)

/** @param {string} file */
const server = (file) => ({
  name: file,
  command: (/** @type {number} */ port) => [process.execPath, inBench(file), String(port)],
  version: () => ""
})

const short = ["--seconds", "0.2", "--verify"]
const modes = [
  ["bulk", "--streams", "2"],
  ["bulk", "--streams", "2", "--up"],
  ["rate", "--streams", "4", "--size", "4000"],
  ["pingpong", "--streams", "4", "--size", "4000"]
]

/** @type {import("../lib/process.js").Running[]} */
const running = []
after(async () => {
  for (const it of running) await it.stop()
})
/** @param {string} file */
const started = async (file) => {
  const it = await start(server(file))
  running.push(it)
  return it
}

for (const mode of modes) {
  test(`${mode.join(" ")}: every byte arrives through an honest server`, async () => {
    const figures = await load(await started("servers/node-pipe.js"), [...mode, ...short])
    assert.equal(figures.errors, 0)
    assert.ok(Number(figures.cpu) > 0)
  })

  test(`${mode.join(" ")}: one wrong byte in each 3,000 is found`, async () => {
    await assert.rejects(
      load(await started("servers/corrupting.js"), [...mode, ...short]),
      /bytes came back wrong/
    )
  })
}

test("datagrams come back", async () => {
  const figures = await load(await started("servers/node-udp.js"), ["udp", "--streams", "4", ...short])
  assert.ok(Number(figures.datagrams) > 0)
  assert.equal(figures.lost, 0)
})

test("idle sessions are held, and their memory is told", async () => {
  const figures = await load(await started("servers/node-pipe.js"), ["idle", "--streams", "300"])
  assert.equal(figures.sessions, 300)
})

test("processes that a server has started count, also those that have ended", async () => {
  const busy = 'node -e "while (process.cpuUsage().user < 4e5);"'
  const it = await start({
    ...server("servers/node-pipe.js"),
    command: (port) => ["sh", "-c", `${busy}; node ${inBench("servers/node-pipe.js")} ${port} & wait`]
  })
  running.push(it)
  const { cpuMs, processes } = await load(it, ["cost"])
  assert.equal(processes, 2)
  // Of the one that listens, at least the start of a process.
  assert.ok(Number(cpuMs) >= 420, `${cpuMs} ms`)
})

test("figures of a server through which nothing comes are none", async () => {
  await assert.rejects(load(await started("servers/node-udp.js"), ["bulk", ...short]), /nothing came through/)
})
