// What the command line asks for.
import { parseArgs } from "node:util"
import { groups } from "./measures.js"

const help = `npm run bench -- [options]

  --quick             one short round without cores, growth, heap and profile, under three minutes
  --only NAMES        only these: ${groups.join(", ")}
  --servers NAMES     only these (see --list); figures are compared with node-pipe if it is among them
  --rounds COUNT      3, or 1 with --quick; growth has 3 at most
  --verify            check every byte, which costs the generator time and the figures some truth
  --json FILE         where the figures go: bench/results/latest.json
  --publish           put the tables into bench/README.md and the figures into bench/results
  --list              print the servers, and whether they are here

NODE24=/path/to/node adds rows on that Node, of bulk, rate, pingpong and idle.
`

const quickGroups = groups
  .filter((group) => !["cores", "growth", "heap", "profile"].includes(group))
  .join(",")

/** @param {string[]} args @param {string[]} servers the names that there are */
export const readOptions = (args, servers) => {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      servers: { type: "string" },
      rounds: { type: "string" },
      verify: { type: "boolean", default: false },
      json: { type: "string" },
      publish: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  })
  if (values.help) {
    console.log(help)
    process.exit(0)
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds}: not a whole number above 0`)
  return {
    ...values,
    rounds,
    only: names("--only", values.only ?? (values.quick ? quickGroups : undefined), groups),
    servers: names("--servers", values.servers, servers)
  }
}

/**
 * @param {string} flag @param {string | undefined} list @param {readonly string[]} known
 * @returns {readonly string[]} those of the list, or all
 */
const names = (flag, list, known) => {
  if (list === undefined) return known
  const chosen = list.split(",").filter((name) => name !== "")
  const unknown = chosen.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`${flag} ${unknown}: not one of ${known.join(", ")}`)
  return chosen
}
