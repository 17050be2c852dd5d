/**
 * The series of metrics, in a registry of Effect. A series is a plain number that a session increments; the registry
 * reads the number when metrics are read. Measured: an update of a metric of Effect takes 200 ns, an increment 2.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Definition } from "./Definitions.ts"

/** Series with their values at one moment. */
export type Snapshot = ReadonlyArray<Metric.Metric.Snapshot>

/** A number that is counted up. */
export interface Cell {
  value: number
}

/** The series of one counter or gauge: a cell for each combination of values of its labels. */
export class Family {
  private readonly cells = new Map<string, Cell>()
  private readonly definition: Definition
  private readonly context: Context.Context<never>
  private readonly most: number
  private readonly update: () => void
  private readonly isOfPairs: boolean
  private readonly firsts = new Set<string>()

  /**
   * `most` is the number of values of the first label, or with `isOfPairs` of both labels together. Further values share
   * a series with the value `other`. `update` is called before a value is read.
   */
  constructor(
    definition: Definition,
    context: Context.Context<never>,
    most = Number.POSITIVE_INFINITY,
    update = () => {},
    isOfPairs = false
  ) {
    this.definition = definition
    this.context = context
    this.most = most
    this.update = update
    this.isOfPairs = isOfPairs
  }

  /** The series with these values of the labels. */
  cell(first = "", second = ""): Cell {
    const key = second === "" ? first : `${first}\n${second}`
    return this.cells.get(key) ?? this.add(key, first, second)
  }

  private isFull(first: string): boolean {
    return this.isOfPairs
      ? this.cells.size >= this.most
      : this.firsts.size >= this.most && !this.firsts.has(first)
  }

  private add(key: string, first: string, second: string): Cell {
    if (first !== rest && this.isFull(first)) return this.cell(rest, this.isOfPairs ? rest : second)
    this.firsts.add(first)
    const cell: Cell = { value: 0 }
    this.cells.set(key, cell)
    read(this.definition, this.context, [first, second], () => {
      this.update()
      return cell.value
    })
    return cell
  }
}

/** The value of the label for what is beyond the bound. */
const rest = "other"

/** Registers a series whose value is read when metrics are read. Returns a function that removes the series. */
export const read = (
  { name, type, help, labels }: Definition,
  context: Context.Context<never>,
  values: ReadonlyArray<string>,
  get: () => number
): (() => void) => {
  const options = {
    description: help,
    attributes: {
      ...unitOf(name),
      ...Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ""]))
    }
  }
  const registration =
    type === "Counter"
      ? Metric.registerUnsafe(Metric.counter(name, { ...options, incremental: true }), context, {
          ...inert,
          get: () => ({ count: get(), incremental: true })
        })
      : Metric.registerUnsafe(Metric.gauge(name, options), context, {
          ...inert,
          get: () => ({ value: get() })
        })
  return () => registration.remove()
}

/** A histogram of one series. */
export class Histogram {
  private readonly bounds: ReadonlyArray<number>
  /** The number of values in each bucket. */
  private readonly counts: Array<number>
  private count = 0
  private sum = 0
  private min = Number.MAX_VALUE
  private max = -Number.MAX_VALUE

  constructor({ name, help, bounds = [] }: Definition, context: Context.Context<never>) {
    this.bounds = bounds
    this.counts = bounds.map(() => 0)
    const metric = Metric.histogram(name, {
      description: help,
      boundaries: bounds,
      attributes: unitOf(name)
    })
    Metric.registerUnsafe(metric, context, { ...inert, get: () => this.state() })
  }

  observe(value: number): void {
    let index = 0
    while (index < this.bounds.length && value > this.bounds[index]!) index++
    if (index < this.bounds.length) this.counts[index]!++
    this.count++
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  private state(): Metric.HistogramState {
    let below = 0
    const buckets = this.bounds.map((bound, index): [number, number] => {
      below += this.counts[index]!
      return [bound, below]
    })
    const { count, sum, min, max } = this
    return { buckets, count, sum, min, max }
  }
}

/** The unit, as OTLP has it. The text of Prometheus has it in the name only. */
const unitOf = (name: string): Readonly<Record<string, string>> =>
  name.includes("_seconds") ? { unit: "s" } : name.includes("_bytes") ? { unit: "By" } : {}

const inert = { update: () => {}, modify: () => {} }
