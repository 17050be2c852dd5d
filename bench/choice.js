/**
 * What it costs to choose a member of a route, by the way of choosing and the number of members.
 *
 *     npm run build && node bench/choice.js
 *
 * Every figure is the best of several rounds, in microseconds, with what it costs to count the session of the member. The
 * keys of sticky choices come again, except in the last row.
 */
import * as Choice from "../dist/routes/Choice.js"
import { LoadHeap } from "../dist/routes/LoadHeap.js"

const counts = [10, 1_000, 10_000]
const rounds = 9
const asks = 2_000

/** Members of equal weights, of weights from 1 to 5, and members of which a tenth may not be used. */
const kinds = {
  "equal weights": { weight: () => 1, isDown: () => false },
  "weights of 1 to 5": { weight: (i) => 1 + (i % 5), isDown: () => false },
  "a tenth is left alone": { weight: () => 1, isDown: (i) => i % 10 === 3 },
  "new keys": { weight: () => 1, isDown: () => false, isNew: true }
}

const list = (count, f) => Array.from({ length: count }, (_, i) => f(i))

const measure = (choice, { weight, isDown, isNew = false }, count) => {
  const members = list(count, (i) => ({
    ...{ id: `socks5://user${i}@proxy${i}.example:1080`, weight: weight(i), isDown: isDown(i), sessions: 0 }
  }))
  const heap = choice === "least-sessions" ? new LoadHeap(members) : undefined
  const choose = heap ? (mayUse) => heap.first(mayUse) : Choice.make(choice, members, Math.random)
  const mayUse = (member) => !member.isDown
  let keys = 0
  const times = list(rounds, () => {
    const chosen = []
    const start = performance.now()
    for (let i = 0; i < asks; i++) {
      const member = choose(mayUse, `user${isNew ? keys++ : i}`)
      member.sessions++
      heap?.update(member)
      chosen.push(member)
    }
    for (const member of chosen) {
      member.sessions--
      heap?.update(member)
    }
    return ((performance.now() - start) * 1000) / asks
  })
  return Math.min(...times)
}

console.log(["members".padEnd(40), ...counts.map((count) => String(count).padStart(12))].join(""))
for (const choice of ["round-robin", "random", "least-sessions", "sticky"]) {
  for (const [kind, made] of Object.entries(kinds)) {
    if (made.isNew && choice !== "sticky") continue
    const cells = counts.map((count) => `${measure(choice, made, count).toFixed(2)} us`.padStart(12))
    console.log([`${choice}, ${kind}`.padEnd(40), ...cells].join(""))
  }
}
