// Readers of the admin listener, as a process: dashboards that are open, or a program that asks all the time.
// node readers.js SOCKET TOKEN DASHBOARDS REQUESTS_PER_SECOND
import http from "node:http"

const [socketPath = "", token = "", dashboards = "0", perSecond = "0"] = process.argv.slice(2)

const headers = { host: "localhost", authorization: `Bearer ${token}` }

/** @param {http.Agent} agent @param {string} path @returns {Promise<number>} the status */
const get = (agent, path) =>
  new Promise((resolve) => {
    const request = http.get({ socketPath, path, headers, agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0))
    })
    request.on("error", () => resolve(0))
  })

const agentOf = () => new http.Agent({ keepAlive: true, maxSockets: 6 })

/** What a dashboard asks for on its first page: in one answer, or in builds before that in five. */
const hasOverview = (await get(agentOf(), "/api/overview")) === 200
const overview = hasOverview
  ? ["/api/overview"]
  : ["/api/status", "/api/history", "/api/traffic?by=user", "/api/traffic?by=target", "/api/upstreams"]
const tags = hasOverview ? "TargetDenied" : "SessionDecided"
const events = `/api/events?tags=${tags},NetworkBanned,BanLifted,Reloaded,ReloadFailed${hasOverview ? "" : "&verdict=deny"}`

for (let i = 0; i < Number(dashboards); i++) {
  const agent = agentOf()
  http
    .get({ socketPath, path: events, headers, agent: false }, (response) => response.resume())
    .on("error", () => {})
  // They were not opened at the same time.
  const begin = (/** @type {number} */ every, /** @type {readonly string[]} */ paths) =>
    setTimeout(
      () => {
        const look = () => void Promise.all(paths.map((path) => get(agent, path)))
        look()
        setInterval(look, every)
      },
      (every * i) / Number(dashboards)
    )
  begin(2000, overview)
  // Where the overview does not have the status.
  if (!hasOverview) begin(5000, ["/api/status"])
}

/** @type {Map<number, number>} */
const answers = new Map()
if (Number(perSecond) > 0) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
  let count = 0
  setInterval(() => {
    // Each asks for something else, as if by the search field.
    get(agent, `/api/sessions?sort=received&order=desc&limit=100&search=${count++ % 97}`).then((status) =>
      answers.set(status, (answers.get(status) ?? 0) + 1)
    )
  }, 1000 / Number(perSecond))
}
process.on("message", () => process.send?.(Object.fromEntries(answers)))
process.send?.("ready")
