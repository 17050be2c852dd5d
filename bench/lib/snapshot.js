// Reads a heap snapshot of V8.

/**
 * @typedef {{ readonly count: number, readonly bytes: number }} Amount
 * @typedef {{ readonly name: string, readonly count: number, readonly bytes: number }} Share of one session
 */

/**
 * The objects of a snapshot by kind and constructor.
 *
 * @param {{ snapshot: { meta: { node_fields: string[], node_types: [string[]] } }, nodes: number[], strings: string[] }} heap
 * @returns {Map<string, Amount>}
 */
export const countObjects = ({ snapshot, nodes, strings }) => {
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field))
  /** @type {Map<string, { count: number, bytes: number }>} */
  const kinds = new Map()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = String(types[0][Number(nodes[at + Number(type)])])
    const key = label(kind, String(strings[Number(nodes[at + Number(name)])]))
    const amount = kinds.get(key) ?? { count: 0, bytes: 0 }
    amount.count++
    amount.bytes += Number(nodes[at + Number(size)])
    kinds.set(key, amount)
  }
  return kinds
}

/** Objects and what is native have a name worth telling, closures that of their function. @param {string} kind @param {string} name */
const label = (kind, name) => {
  if (kind === "object" || kind === "native") return `${kind} \`${name.slice(0, 60)}\``
  if (kind === "closure") return `function \`${name || "(anonymous)"}\``
  if (kind === "object shape" || kind === "code" || kind === "hidden") return kind
  if (kind === "array") return `array ${name ? `\`${name.slice(0, 40)}\`` : "(elements, tables)"}`
  return kind === "string" || kind === "concatenated string" || kind === "sliced string" ? "string" : kind
}

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
