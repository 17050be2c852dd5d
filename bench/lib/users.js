// A file of many users, whose passwords are hashed.
import { randomBytes, scryptSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

/**
 * So many users as the load generator logs in with: user0 with password0, and so
 * on. Their hashes are of the least cost, 16 KiB of memory, as it is not scrypt
 * that is to be measured.
 *
 * @param {string} directory where the file goes
 * @param {number} amount
 * @returns {readonly string[]} the flags with which the server reads them
 */
export const withUsers = (directory, amount) => {
  const lines = Array.from({ length: amount }, (_, i) => {
    const salt = randomBytes(16)
    const key = scryptSync(`password${i}`, salt, 32, { N: 2 ** 4, r: 8, p: 1 })
    return `user${i}:$scrypt$ln=4,r=8,p=1$${base64(salt)}$${base64(key)}`
  })
  const path = join(directory, "users")
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o600 })
  return ["--users-file", path]
}

/** @param {Buffer} bytes */
const base64 = (bytes) => bytes.toString("base64").replaceAll("=", "")
