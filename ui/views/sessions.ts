/**
 * The open sessions: the server searches, sorts and pages, so that ten thousand of them are as light as fifty.
 */
import * as Api from "../api.ts"
import { confirmed, done, h, setText, toast } from "../dom.ts"
import * as Format from "../format.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

const pageSize = 50

const orders = [
  ["startedAt down", "Newest"],
  ["startedAt up", "Oldest"],
  ["received down", "Most received"],
  ["sent down", "Most sent"],
  ["user up", "User"],
  ["client up", "Client"],
  ["target up", "Target"]
] as const

export const make = (): View => {
  let [search, sort, isDescending, offset] = ["", "startedAt", true, 0]
  let total = 0
  const view = { refresh: async () => {} }
  const again = () => void view.refresh().catch((error: Error) => toast(error.message, true))

  const table = Table.make<Api.SessionRow>({
    caption: "Open sessions",
    key: ({ id }) => String(id),
    columns: [
      { title: "ID", text: ({ id }) => String(id), isNumber: true, sort: "id" },
      { title: "User", text: ({ user }) => user ?? "–", sort: "user" },
      { title: "Client", text: ({ client }) => client, sort: "client" },
      {
        title: "Protocol",
        text: ({ protocol, command }) => [protocol, command].filter(Boolean).join(" ") || "–"
      },
      { title: "Target", text: ({ target }) => target ?? "–", sort: "target" },
      { title: "Rule", text: ({ rule, route }) => [rule, route].filter(Boolean).join(" → ") || "–" },
      { title: "Sent", text: ({ sent }) => Format.size(sent), isNumber: true, sort: "sent" },
      { title: "Received", text: ({ received }) => Format.size(received), isNumber: true, sort: "received" },
      {
        title: "Age",
        text: ({ startedAt }) => Format.age(Date.now() - startedAt),
        isNumber: true,
        sort: "startedAt"
      }
    ],
    actions: [
      {
        title: "End",
        label: ({ id, user, target }) =>
          `End session ${id}${user ? ` of ${user}` : ""}${target ? ` to ${target}` : ""}`,
        run: async ({ id, user, target }) => {
          const what = `End session ${id}${user ? ` of ${user}` : ""}${target ? ` to ${target}` : ""}?`
          if (!(await confirmed(what, "End session"))) return
          await done(Api.endSession(id), `Session ${id} has ended.`)
          again()
        }
      }
    ],
    onSort: (name) => {
      isDescending = name === sort ? !isDescending : name !== "user" && name !== "client" && name !== "target"
      sort = name
      offset = 0
      again()
    },
    empty: "No session is open, or none has this in it."
  })

  const field = h("input", {
    type: "search",
    id: "search",
    placeholder: "User, client, target, rule …",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => {
      search = field.value
      offset = 0
      clearTimeout(typing)
      typing = setTimeout(again, 200)
    }
  })
  let typing: ReturnType<typeof setTimeout> | undefined
  // On phones, where the table has no heads to press.
  const order = h(
    "select",
    {
      id: "order",
      onchange: () => {
        const [name = "", direction] = order.value.split(" ")
        ;[sort, isDescending, offset] = [name, direction === "down", 0]
        again()
      }
    },
    ...orders.map(([value, title]) => h("option", { value }, title))
  )
  const found = h("p", { class: "muted", role: "status" })
  const turn = (by: number) => {
    offset = Math.max(0, Math.min(offset + by, Math.max(0, Math.ceil(total / pageSize) - 1) * pageSize))
    again()
  }
  const back = h("button", { type: "button", onclick: () => turn(-pageSize) }, "Previous")
  const next = h("button", { type: "button", onclick: () => turn(pageSize) }, "Next")

  view.refresh = async () => {
    const asked = { search, sort, order: isDescending ? "desc" : "asc", offset, limit: pageSize }
    const page = await Api.sessions(asked)
    // Another page was asked for in the meantime.
    if (asked.search !== search || asked.sort !== sort || asked.offset !== offset) return
    total = page.total
    if (offset > 0 && page.rows.length === 0) return turn(-pageSize)
    table.update(page.rows)
    table.showSort(sort, isDescending)
    order.value = `${sort} ${isDescending ? "down" : "up"}`
    const last = offset + page.rows.length
    setText(
      found,
      total === 0
        ? "No sessions"
        : `${Format.count(offset + 1)}–${Format.count(last)} of ${Format.count(total)}`
    )
    back.disabled = offset === 0
    next.disabled = last >= total
  }

  return {
    element: h(
      "section",
      { class: "card" },
      h(
        "div",
        { class: "toolbar" },
        h("label", { for: "search", class: "hidden" }, "Search sessions"),
        field,
        h("div", { class: "order" }, h("label", { for: "order" }, "Sort by"), order),
        found,
        h("div", { class: "buttons" }, back, next)
      ),
      table.element
    ),
    every: 2000,
    refresh: () => view.refresh(),
    close: () => clearTimeout(typing)
  }
}
