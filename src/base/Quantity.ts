/**
 * Sizes and durations as people read them, for the commands and the dashboard.
 */

/** Bytes, in the largest unit of which there is at least one: `512 B`, `1.5 MiB`. */
export const size = (bytes: number): string => {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  const amount = bytes / 1024 ** power
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const

/** A duration of milliseconds, in two units: `5s`, `1m 5s`, `2h 10m`, `3d 4h`. */
export const age = (millis: number): string => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"]
  ] as const
  const first = parts.findIndex(([amount], index) => amount > 0 || index === 3)
  return parts
    .slice(first, first + 2)
    .filter(([amount], index) => index === 0 || amount > 0)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(" ")
}
