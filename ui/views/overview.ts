/**
 * The overview: numbers, traffic, and who and what it is from and to.
 */
import * as Api from "../api.ts"
import * as Chart from "../chart.ts"
import { fill, h } from "../dom.ts"
import * as Format from "../format.ts"
import * as History from "../history.ts"
import type { Denial } from "../stream.ts"
import * as Tile from "../tile.ts"
import type { View } from "./view.ts"

export const make = (denials: () => ReadonlyArray<Denial>, onStatus: (status: Api.Status) => void): View => {
  const tiles = {
    sessions: Tile.make("Open sessions"),
    up: Tile.make("Up", "up"),
    down: Tile.make("Down", "down"),
    handshakes: Tile.make("Handshakes"),
    bans: Tile.make("Bans"),
    uptime: Tile.make("Uptime")
  }
  const plot = h("div", { class: "plot", role: "img", "aria-label": "Traffic of the last minutes" })
  const users = h("div", { class: "bars" })
  const targets = h("div", { class: "bars" })
  const upstreams = h("section", { class: "card", hidden: true })
  const recent = h("div")
  const element = h(
    "div",
    {},
    Tile.list(tiles),
    h(
      "section",
      { class: "card" },
      h(
        "header",
        {},
        h("h2", {}, "Traffic"),
        h(
          "p",
          { class: "legend", "aria-hidden": "true" },
          h("span", { class: "key up" }, "Up"),
          h("span", { class: "key down" }, "Down")
        )
      ),
      plot
    ),
    h(
      "div",
      { class: "columns" },
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "By user")), users),
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "By target")), targets)
    ),
    upstreams,
    h(
      "section",
      { class: "card" },
      h("header", {}, h("h2", {}, "Latest denials"), h("a", { href: "#/denials" }, "All denials")),
      recent
    )
  )
  const chart = Chart.make(plot)
  let history: ReadonlyArray<Api.Sample> = []

  return {
    element,
    every: 2000,
    refresh: async () => {
      const { status, samples, users: byUser, targets: byTarget, upstreams: others } = await Api.overview()
      onStatus(status)
      history = History.joined(history, samples) ?? (await Api.history())
      const [, ups, downs] = Chart.seriesOf(history)
      const [up, down] = [ups.at(-1) ?? 0, downs.at(-1) ?? 0]
      tiles.sessions.show(Format.count(status.sessions))
      tiles.up.show(Format.rate(up))
      tiles.down.show(Format.rate(down))
      tiles.handshakes.show(Format.count(status.handshakes))
      tiles.bans.show(Format.count(status.bans))
      tiles.uptime.show(Format.age(Date.now() - status.startedAt))
      chart.update(history)
      plot.setAttribute(
        "aria-label",
        `Traffic of the last minutes; now ${Format.rate(up)} up and ${Format.rate(down)} down`
      )
      showBars(users, byUser, "no user")
      showBars(targets, byTarget, "no target yet")
      showUpstreams(upstreams, others, status.workers.length)
      showDenials(recent, denials().slice(0, 5))
    },
    close: chart.close
  }
}

/** The first rows as bars, which are as long as their share of the most. */
const showBars = (element: HTMLElement, rows: ReadonlyArray<Api.TrafficRow>, unnamed: string): void => {
  if (rows.length === 0) {
    fill(element, h("p", { class: "empty" }, "No session is open."))
    return
  }
  const most = Math.max(1, ...rows.map(({ sent, received }) => sent + received))
  const shown = rows.slice(0, 8)
  fill(
    element,
    h(
      "ol",
      {},
      ...shown.map(({ key, sessions, sent, received }) =>
        h(
          "li",
          {},
          h("span", { class: "name", title: key ?? unnamed }, key ?? unnamed),
          h("span", { class: "amount" }, `${Format.size(sent + received)} · ${Format.count(sessions)}`),
          h("meter", {
            min: 0,
            max: most,
            value: sent + received,
            "aria-label": `Share of ${key ?? unnamed}`
          })
        )
      )
    )
  )
}

const showUpstreams = (element: HTMLElement, rows: ReadonlyArray<Api.Upstream>, workers: number): void => {
  element.hidden = rows.length === 0
  if (rows.length === 0) return
  fill(
    element,
    h("header", {}, h("h2", {}, "Upstreams")),
    h(
      "ul",
      { class: "upstreams" },
      ...rows.map(({ route, name, healthy, since, sessions, failures, downIn, detail }) =>
        h(
          "li",
          {},
          h("span", { class: healthy ? "pill good" : "pill bad" }, healthy ? "up" : "down"),
          h("strong", {}, name),
          h(
            "span",
            { class: "muted" },
            [
              route === name ? "" : route,
              `${Format.count(sessions)} ${sessions === 1 ? "session" : "sessions"}`,
              failures > 0 ? `${Format.count(failures)} failed` : "",
              since === null ? "" : `${healthy ? "up" : "down"} for ${Format.age(Date.now() - since)}`,
              downIn.length > 0 && workers > 1 ? `in ${downIn.length} of ${workers} workers` : "",
              detail
            ]
              .filter((text) => text !== "")
              .join(" · ")
          )
        )
      )
    )
  )
}

const showDenials = (element: HTMLElement, denials: ReadonlyArray<Denial>): void => {
  if (denials.length === 0) {
    fill(element, h("p", { class: "empty" }, "Nothing was denied since this page was opened."))
    return
  }
  fill(
    element,
    h(
      "ul",
      { class: "denials" },
      ...denials.map(({ at, user, client, target, rule, reason }) =>
        h(
          "li",
          {},
          h("time", {}, Format.time(at)),
          h("strong", {}, target ?? "no target"),
          h(
            "span",
            { class: "muted" },
            `${user ?? client ?? "unknown"} · ${rule}${reason ? ` (${reason})` : ""}`
          )
        )
      )
    )
  )
}
