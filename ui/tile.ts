/**
 * A number with its title, of a list of such numbers.
 */
import { h, setText } from "./dom.ts"

export const make = (title: string, mark?: "up" | "down") => {
  const value = h("dd", {}, "–")
  const element = h("div", { class: mark ? `tile ${mark}` : "tile" }, h("dt", {}, title), value)
  return { element, show: (text: string) => setText(value, text) }
}
