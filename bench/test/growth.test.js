// What is computed from the figures of growth, and how it is shown.
import assert from "node:assert/strict"
import { test } from "node:test"
import { grownTo } from "../lib/growth.js"
import { growthReport } from "../lib/growthReport.js"

/** @param {number} round @param {string} server @param {number} amount @param {number} session */
const point = (round, server, amount, session) => ({ round, server, amount, session, trip: 20, rss: 1e8 })

const points = [
  point(1, "a", 0, 100),
  point(1, "a", 5000, 110),
  // A slow minute.
  point(2, "a", 0, 300),
  point(2, "a", 5000, 300),
  point(3, "a", 0, 120),
  point(3, "a", 5000, 240)
]

test("growth is that within a round", () => {
  assert.deepEqual(grownTo(points, "a", 5000, "session"), { value: 240, times: 1.1 })
  assert.deepEqual(grownTo(points, "a", 0, "session"), { value: 120, times: 1 })
})

test("each series has a table and a graph", () => {
  const report = growthReport([{ title: "rules", points }])
  assert.match(report, /\| a \| 5,000 \| 240 \(1\.10×\) \| 20\.0 \(1\.00×\) \| 100 \(1\.00×\) \|/)
  assert.match(report, /^a {12}5,000 {2}█{40} 240 µs$/m)
  assert.match(report, /^a {16}0 {2}█{20} 120 µs$/m)
})

test("a series that could not be measured says why", () => {
  assert.equal(
    growthReport([{ title: "rules", points: [], note: "not measured: x" }]),
    "**rules**: not measured: x"
  )
})
