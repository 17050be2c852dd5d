// A file of settings with many rules.
import { writeFileSync } from "node:fs"
import { join } from "node:path"

/**
 * So many rules that do not fit, half of names and half of networks, and one that
 * does: the last; or none, and everything is allowed. What is asked for is an address of the loopback interface.
 *
 * @param {string} directory where the file goes
 * @param {number} amount
 * @returns {readonly string[]} the flags with which the server reads them
 */
export const withRules = (directory, amount) => {
  if (amount === 0) return []
  const rules = Array.from({ length: amount - 1 }, (_, i) => {
    const to = i % 2 === 0 ? `host${i}.example` : `10.${i >> 8}.${i & 255}.0/24`
    return `  - { deny: true, to: ["${to}"] }`
  })
  const path = join(directory, "rules.yaml")
  writeFileSync(path, ["rules:", ...rules, '  - { allow: true, to: ["127.0.0.0/8"] }', ""].join("\n"))
  return ["--config", path]
}
