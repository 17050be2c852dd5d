// Reads a heap snapshot of V8: how many objects of which kind, and their bytes.
import { placeOf } from "./places.js"

/**
 * @typedef {{ readonly count: number, readonly bytes: number }} Amount
 * @typedef {{ readonly name: string, readonly count: number, readonly bytes: number }} Share of one session
 * @typedef {{
 *   readonly snapshot: { readonly meta: {
 *     readonly node_fields: string[], readonly node_types: readonly [string[], ...unknown[]],
 *     readonly edge_fields: string[], readonly edge_types: readonly [string[], ...unknown[]]
 *   } },
 *   readonly nodes: number[], readonly edges: number[], readonly strings: string[], readonly locations: number[]
 * }} Snapshot
 */

/** @param {Snapshot} heap @returns {Map<string, Amount>} by what they are */
export const countObjects = (heap) => {
  const { nodes, strings, locations } = heap
  const { node_fields: fields, node_types: types, edge_types: edgeTypes } = heap.snapshot.meta
  const [type, name, size, degree] = ["type", "name", "self_size", "edge_count"].map((it) =>
    fields.indexOf(it)
  )
  const lines = new Map()
  for (let at = 0; at < locations.length; at += 4) lines.set(locations[at], Number(locations[at + 2]) + 1)

  /** @param {number} node @param {number | undefined} field */
  const get = (node, field) => Number(nodes[node + Number(field)])
  /** @param {number} node */
  const typeOf = (node) => String(types[0][get(node, type)])
  /** @param {number} node */
  const nameOf = (node) => String(strings[get(node, name)])

  /** Names of what it refers to by name, of a type of edge. @param {string} wanted @param {number} from @param {number} count */
  const names = (wanted, from, count) =>
    range(from, count).flatMap((edge) =>
      edgeTypes[0][Number(heap.edges[edge])] === wanted ? [String(strings[Number(heap.edges[edge + 1])])] : []
    )
  /** The node that an internal edge leads to. @param {RegExp} wanted @param {number} from @param {number} count */
  const follow = (wanted, from, count) => {
    const edge = range(from, count).find(
      (it) =>
        edgeTypes[0][Number(heap.edges[it])] === "internal" &&
        wanted.test(String(strings[Number(heap.edges[it + 1])]))
    )
    return edge === undefined ? undefined : heap.edges[edge + 2]
  }
  const firstEdges = new Map()
  for (let node = 0, edge = 0; node < nodes.length; node += fields.length) {
    firstEdges.set(node, edge)
    edge += get(node, degree) * 3
  }
  /** Where a function is written. @param {number} node @param {number} from @param {number} count */
  const place = (node, from, count) => {
    const shared = follow(/^shared$/, from, count)
    const script = shared && follow(/^script/, firstEdges.get(shared), get(shared, degree))
    if (!script) return ""
    return ` ${placeOf(nameOf(script), lines.get(node) ?? 0)}`
  }

  /** @param {number} node */
  const label = (node) => {
    const [kind, called, from, count] = [typeOf(node), nameOf(node), firstEdges.get(node), get(node, degree)]
    if (kind === "closure") return `function ${called}${place(node, from, count)}`
    if (kind === "object" && called === "Object")
      return `object { ${visible(names("property", from, count))} }`
    if (called === "system / Context")
      return `variables of closures: ${visible(names("context", from, count))}`
    if (kind === "array") return `array of ${get(node, size)} bytes`
    return kind === "object" || kind === "native" ? `${kind} ${called.slice(0, 60)}` : kind
  }

  /** @type {Map<string, { count: number, bytes: number }>} */
  const kinds = new Map()
  for (let node = 0; node < nodes.length; node += fields.length) {
    const key = label(node)
    const amount = kinds.get(key) ?? { count: 0, bytes: 0 }
    amount.count++
    amount.bytes += get(node, size)
    kinds.set(key, amount)
  }
  return kinds
}

/** Indices of edges, each of three numbers. @param {number} from @param {number} count */
const range = (from, count) => Array.from({ length: count }, (_, i) => from + 3 * i)

/** @param {readonly string[]} names */
const visible = (names) =>
  names
    .filter((name) => !name.startsWith("__"))
    .slice(0, 8)
    .join(", ")

/**
 * What came between, divided by the number of sessions, the largest first.
 *
 * @param {ReadonlyMap<string, Amount>} before @param {ReadonlyMap<string, Amount>} after @param {number} sessions
 * @returns {Share[]}
 */
export const difference = (before, after, sessions) =>
  [...after]
    .map(([name, { count, bytes }]) => {
      const old = before.get(name) ?? { count: 0, bytes: 0 }
      return { name, count: (count - old.count) / sessions, bytes: (bytes - old.bytes) / sessions }
    })
    .sort((a, b) => b.bytes - a.bytes)
