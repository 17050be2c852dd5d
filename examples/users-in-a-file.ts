/**
 * Users in a file, whom the app adds, disables and removes while the proxy runs, and who are there again after a restart. With
 * `endDenied` the sessions of a user who is disabled or removed end at once.
 */
import { Layer, type Redacted } from "effect"
import { Server, UserStore } from "effect-socks"

/** A proxy for the users of a file, such as `users.yaml`, which may begin as `[]`. */
export const proxy = (path: string) =>
  Server.layer({ listen: "127.0.0.1:0", endDenied: true }).pipe(Layer.provideMerge(UserStore.layerFile(path)))

/** Adds a user, of whom the file has a hash of the password; or changes nothing if there is one of this name. */
export const welcome = (name: string, password: Redacted.Redacted) =>
  UserStore.use(({ add }) => add({ name, password, groups: ["guests"] }))

/** Disables a user until `back`. */
export const leave = (name: string) => UserStore.use(({ change }) => change(name, { enabled: false }))
export const back = (name: string) => UserStore.use(({ change }) => change(name, { enabled: true }))
