/**
 * The field with which a list is searched, and how many the server finds.
 */
import { h, setText, toast } from "./dom.ts"
import * as Format from "./format.ts"

/** The most rows that are shown at a time. */
export const most = 200

export const make = (label: string, placeholder: string, refresh: () => Promise<void>) => {
  const field = h("input", {
    type: "search",
    id: "search",
    placeholder,
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => void refresh().catch((error: Error) => toast(error.message, true))
  })
  const found = h("p", { class: "muted", role: "status" })
  return {
    element: h(
      "div",
      { class: "toolbar" },
      h("label", { for: "search", class: "hidden" }, label),
      field,
      found
    ),
    /** What the server is asked for. */
    asked: () => ({ search: field.value, limit: most }),
    show: (rows: number, total: number) =>
      setText(found, total > rows ? `${rows} of ${Format.count(total)}` : Format.count(total))
  }
}
