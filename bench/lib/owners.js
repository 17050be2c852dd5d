// Whose an object on the heap is, as far as its name tells.

/** @type {readonly (readonly [owner: string, names: RegExp])[]} */
const owners = [
  ["Effect's functions", /^function .* (effect|@effect\/[\w-]+)\/dist\//],
  ["this program's functions", /^function .* (dist|servers)\//],
  [
    "Effect's fibers, and what they are to do next",
    /^object (\w+Impl|Generator|SingleShotGen|Arguments|Latch)$|^object \{ (~effect|_tag|scheduler|cacheRoot|key, value, parent)/
  ],
  [
    "Node's sockets: streams, states, listeners, handles",
    /^object (Socket|TCP|ReadableState|WritableState|Server|AsyncContextFrame|Timeout)$|^object \{ (fired|close, error|data|address)|^function .* node:|^synthetic$/
  ],
  ["buffers", /Buffer|JSArrayBufferData/],
  ["variables that functions hold", /^variables /],
  ["arrays and tables", /^array |^object (Array|Map|Set)$/],
  ["strings and numbers", /^(string|number)$/],
  ["V8's own: shapes, code, the hidden", /^(object shape|code|hidden)$/]
]

/** @param {readonly import("./snapshot.js").Share[]} shares @returns {readonly (readonly [owner: string, bytes: number])[]} the largest first */
export const byOwner = (shares) => {
  /** @type {Map<string, number>} */
  const sums = new Map()
  for (const { name, bytes } of shares) {
    const owner = owners.find(([, names]) => names.test(name))?.[0] ?? "other objects"
    sums.set(owner, (sums.get(owner) ?? 0) + bytes)
  }
  return [...sums].sort(([, a], [, b]) => b - a)
}
