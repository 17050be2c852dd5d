// What one process has cost so far, as /proc tells.
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"

const msPerTick = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))

/** @param {number} pid @returns {{ cpuMs: number, rss: number }} `rss` in bytes */
export const costOf = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The name is in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * msPerTick,
    rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024
  }
}
