// What is computed from the figures, and how it is shown.
import assert from "node:assert/strict"
import { test } from "node:test"
import { byOwner } from "../lib/owners.js"
import { shares } from "../lib/profile.js"
import { between } from "../lib/publish.js"
import { countObjects, difference } from "../lib/snapshot.js"
import { median, medianOf, ratioOf } from "../lib/statistics.js"
import { bars, resultTables, table } from "../lib/tables.js"

/** @param {number} round @param {string} server @param {number} cpuUs */
const run = (round, server, cpuUs) => ({ round, server, measure: "rate", figures: { cpuUs } })

test("the median is the one in the middle, or between the two", () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([]), undefined)
})

test("ratios are of one round, so that a slow minute of the machine is none of a server", () => {
  const runs = [
    run(1, "a", 20),
    run(1, "b", 10),
    run(2, "a", 200),
    run(2, "b", 100),
    run(3, "a", 90),
    run(3, "b", 30)
  ]
  assert.equal(ratioOf(runs, "a", "b", "rate", "cpuUs"), 2)
  assert.equal(medianOf(runs, "a", "rate", "cpuUs"), 90)
})

test("a run that failed counts for nothing, and is told", () => {
  const failed = { round: 2, server: "a", measure: "rate", failure: "it was refused" }
  const runs = [run(1, "a", 20), run(1, "node-pipe", 10), failed, run(2, "node-pipe", 10)]
  assert.equal(ratioOf(runs, "a", "node-pipe", "rate", "cpuUs"), 2)
  assert.match(resultTables(runs), /20 \(2\.00×\)/)
  assert.match(resultTables(runs), /a, rate, round 2: it was refused/)
})

test("a column of ratios to another server is there if the server is", () => {
  const alone = [run(1, "a", 30), run(1, "node-pipe", 20)]
  assert.doesNotMatch(resultTables(alone), /go-socks5/)
  assert.match(
    resultTables([...alone, run(1, "go-socks5", 12)]),
    /times go-socks5's.*\n.*\n\| a .* \| 2\.50 \|/
  )
})

test("workers are compared with one worker on the same Node, and waste counts against them", () => {
  const runs = [
    { ...run(1, "effect-socks-1-worker", 80), measure: "cores-rate" },
    { ...run(1, "effect-socks-2-workers", 100), measure: "cores-rate" },
    { ...run(1, "effect-socks-1-worker-on-node24", 60), measure: "cores-rate" },
    { ...run(1, "effect-socks-2-workers-on-node24", 60), measure: "cores-rate" }
  ]
  assert.match(resultTables(runs), /effect-socks-2-workers \| – \| 100 \| 0\.80 \|/)
  assert.match(resultTables(runs), /effect-socks-2-workers-on-node24 \| – \| 60 \| 1\.00 \|/)
})

test("tables and bars are text", () => {
  assert.equal(
    table([
      ["server", "MB/s"],
      ["a", "7"]
    ]),
    "| server | MB/s |\n| --- | ---: |\n| a | 7 |"
  )
  assert.deepEqual(
    bars([
      ["none", 0],
      ["all", 4]
    ]).split("\n"),
    ["none   0.0", `all   ${"█".repeat(40)} 4.0`]
  )
})

test("only what is between the markers of the README is replaced", () => {
  const text = "a\n<!-- x: written by npm run bench -- --publish -->\nold\n<!-- end of x -->\nb"
  assert.equal(
    between(text, "x", "new"),
    "a\n<!-- x: written by npm run bench -- --publish -->\n\nnew\n\n<!-- end of x -->\nb"
  )
  assert.throws(() => between(text, "y", "new"), /no place marked y/)
})

test("a heap is counted by what its objects are", () => {
  const heap = {
    snapshot: {
      meta: {
        node_fields: ["type", "name", "id", "self_size", "edge_count"],
        node_types: /** @type {[string[]]} */ ([["object", "closure"]]),
        edge_fields: ["type", "name_or_index", "to_node"],
        edge_types: /** @type {[string[]]} */ ([["property", "internal"]])
      }
    },
    strings: ["Object", "Socket", "_tag", "value"],
    nodes: [0, 0, 1, 40, 2, 0, 1, 2, 272, 0, 0, 1, 3, 272, 0],
    edges: [0, 2, 5, 0, 3, 10],
    locations: []
  }
  const before = new Map([["object Socket", { count: 1, bytes: 272 }]])
  const shares = difference(before, countObjects(heap), 1)
  assert.deepEqual(shares, [
    { name: "object Socket", count: 1, bytes: 272 },
    { name: "object { _tag, value }", count: 1, bytes: 40 }
  ])
  assert.deepEqual(
    byOwner(shares).map(([, bytes]) => bytes),
    [272, 40]
  )
})

test("a profile is counted by whose code it is, and idle time is nobody's", () => {
  /** @param {number} id @param {string} functionName @param {string} url */
  const node = (id, functionName, url) => ({ id, callFrame: { functionName, url, lineNumber: 9 } })
  const rows = shares(
    {
      nodes: [
        node(1, "(idle)", ""),
        node(2, "writeBuffer", ""),
        node(3, "(garbage collector)", ""),
        node(4, "emit", "node:events"),
        node(5, "emit", "node:events")
      ],
      samples: [1, 2, 3, 4, 5, 2],
      timeDeltas: [1000, 30, 10, 20, 5, 30]
    },
    10
  )
  assert.deepEqual(rows, [
    { name: "writeBuffer", owner: "system calls: write, connect, close, shutdown", us: 6 },
    { name: "emit node:events:10", owner: "Node's JavaScript", us: 2.5 },
    { name: "(garbage collector)", owner: "collecting garbage", us: 1 }
  ])
})
