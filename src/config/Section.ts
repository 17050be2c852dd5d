/**
 * The settings of one room, declared beside its code. A section is also a service, so that
 * a part of the program takes only the settings that it uses.
 */
import * as Context from "effect/Context"
import * as Setting from "./Setting.ts"

/** A service with the value of each setting in `table`. */
export interface Section<Self, Id extends string, T extends Setting.Table>
  extends Context.ServiceClass<Self, Id, Setting.Values<T>> {
  readonly table: T
  /** Every setting at its default. */
  readonly defaults: Setting.Values<T>
}

/** Any section. */
export interface Any extends Context.Key<unknown, unknown> {
  readonly table: Setting.Table
}

/** Declares a section: `class BanSettings extends Section.make<BanSettings>()("…", { … }) {}`. */
export const make =
  <Self>() =>
  <const Id extends string, T extends Setting.Table>(id: Id, table: T): Section<Self, Id, T> =>
    class extends Context.Service<Self, Setting.Values<T>>()(id) {
      static readonly table = table
      static readonly defaults = Setting.defaults(table)
    }

/** Declares a section whose settings only the start reads: a reload changes none of them. */
export const makeStartOnly =
  <Self>() =>
  <const Id extends string, T extends Setting.Table>(id: Id, table: T): Section<Self, Id, T> =>
    make<Self>()(id, Setting.allStartOnly(table))

type Intersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
  ? I
  : never

/** The type of `table`: the settings of several sections together. */
export type Table<S extends ReadonlyArray<Any>> =
  Intersection<S[number]["table"]> extends infer T extends Setting.Table ? T : never

/** The values of all settings of several sections. */
export type Values<S extends ReadonlyArray<Any>> = Setting.Values<Table<S>>

/** The sections as services. */
export type Services<S extends ReadonlyArray<Any>> = S[number]["Identifier"]

export const table = <const S extends ReadonlyArray<Any>>(sections: S): Table<S> =>
  Object.assign({}, ...sections.map(({ table }) => table))

/** The sections as services, each with the values of its own settings. */
export const context = <const S extends ReadonlyArray<Any>>(
  sections: S,
  values: Values<S>
): Context.Context<Services<S>> => {
  const all: Readonly<Record<string, unknown>> = values
  return Context.mergeAll(
    ...sections.map((section) =>
      Context.make(section, Object.fromEntries(Object.keys(section.table).map((name) => [name, all[name]])))
    )
  )
}

/** The values of all these sections in one object. */
export const values = <const S extends ReadonlyArray<Any>>(
  sections: S,
  context: Context.Context<Services<S>>
): Values<S> =>
  Object.assign({}, ...sections.map((section) => Context.get(context as Context.Context<unknown>, section)))
