/**
 * The banned networks: to lift one, or to ban another.
 */
import * as Api from "../api.ts"
import { confirmed, done, h } from "../dom.ts"
import * as Format from "../format.ts"
import * as Search from "../search.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

export const make = (): View => {
  const refresh = async () => {
    const { rows, total } = await Api.bans(search.asked())
    table.update(rows)
    search.show(rows.length, total)
  }
  const search = Search.make("Search bans", "Network, reason …", refresh)
  const table = Table.make<Api.BanRow>({
    caption: "Banned networks",
    key: ({ network }) => network,
    columns: [
      { title: "Network", text: ({ network }) => network },
      { title: "Until", text: ({ until }) => Format.dateTime(until) },
      { title: "Left", text: ({ until }) => Format.age(until - Date.now()), isNumber: true },
      {
        title: "Failed logins",
        text: ({ failures }) => (failures === 0 ? "–" : String(failures)),
        isNumber: true
      },
      { title: "Reason", text: ({ reason }) => reason }
    ],
    actions: [
      {
        title: "Lift",
        label: ({ network }) => `Lift the ban of ${network}`,
        run: async ({ network }) => {
          if (!(await confirmed(`Lift the ban of ${network}?`, "Lift ban"))) return
          await done(Api.lift(network), `The ban of ${network} is lifted.`)
          await refresh()
        }
      }
    ],
    empty: "No network is banned, or no ban matches the search."
  })
  const network = h("input", {
    id: "network",
    required: true,
    placeholder: "203.0.113.0/24",
    autocomplete: "off"
  })
  const duration = h(
    "select",
    { id: "duration" },
    ...["10m", "1h", "12h", "1d", "30d"].map((value) =>
      h("option", { value, selected: value === "1h" }, value)
    )
  )
  const reason = h("input", { id: "reason", maxlength: 200, placeholder: "abuse", autocomplete: "off" })
  const form = h(
    "form",
    {
      class: "form",
      onsubmit: async (event) => {
        event.preventDefault()
        const asked = { network: network.value.trim(), duration: duration.value }
        const banned = Api.ban(reason.value ? { ...asked, reason: reason.value } : asked)
        if (await done(banned, `${asked.network} is banned.`)) form.reset()
        await refresh()
      }
    },
    h("div", {}, h("label", { for: "network" }, "Network or address"), network),
    h("div", {}, h("label", { for: "duration" }, "For"), duration),
    h("div", {}, h("label", { for: "reason" }, "Reason"), reason),
    h("button", { class: "primary" }, "Ban")
  )
  return {
    element: h("section", { class: "card" }, form, search.element, table.element),
    every: 3000,
    refresh
  }
}
