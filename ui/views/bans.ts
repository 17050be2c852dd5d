/**
 * The banned networks: to lift one, or to ban another.
 */
import * as Api from "../api.ts"
import { confirmed, h, setText, toast } from "../dom.ts"
import * as Format from "../format.ts"
import * as Table from "../table.ts"
import type { View } from "./view.ts"

/** The most bans that are shown at a time. */
const most = 200

export const make = (): View => {
  let search = ""
  const refresh = async () => {
    const { rows, total } = await Api.bans({ search, limit: most })
    table.update(rows)
    setText(found, total > rows.length ? `${rows.length} of ${Format.count(total)}` : Format.count(total))
  }
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
          await Api.lift(network).then(
            () => toast(`The ban of ${network} is lifted.`),
            (error: Error) => toast(error.message, true)
          )
          await refresh()
        }
      }
    ],
    empty: "No network is banned, or none has this in it."
  })
  const field = h("input", {
    type: "search",
    id: "search",
    placeholder: "Network, reason …",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => {
      search = field.value
      void refresh().catch((error: Error) => toast(error.message, true))
    }
  })
  const found = h("p", { class: "muted", role: "status" })
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
        await Api.ban(reason.value ? { ...asked, reason: reason.value } : asked).then(
          () => {
            toast(`${asked.network} is banned.`)
            form.reset()
          },
          (error: Error) => toast(error.message, true)
        )
        await refresh()
      }
    },
    h("div", {}, h("label", { for: "network" }, "Network or address"), network),
    h("div", {}, h("label", { for: "duration" }, "For"), duration),
    h("div", {}, h("label", { for: "reason" }, "Reason"), reason),
    h("button", { class: "primary" }, "Ban")
  )
  return {
    element: h(
      "section",
      { class: "card" },
      form,
      h(
        "div",
        { class: "toolbar" },
        h("label", { for: "search", class: "hidden" }, "Search bans"),
        field,
        found
      ),
      table.element
    ),
    every: 3000,
    refresh
  }
}
