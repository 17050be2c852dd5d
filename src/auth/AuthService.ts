/**
 * Logins verified by an HTTP service of the operator. The server sends
 *
 *     POST { "user": "alice", "password": "secret", "client": "192.0.2.7" }
 *
 * The service allows the login by 200 with { "user", "groups", "limits", "ttl" }, all of them optional, and refuses the
 * login by 401 or 403. `ttl` is in seconds; without `ttl` the service is asked at every login. After any other answer
 * the login fails with `AuthenticationUnavailable`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as AnswerCache from "../base/AnswerCache.ts"
import * as Limits from "../config/Limits.ts"
import { AuthenticationFailed, AuthenticationUnavailable, type VerificationError } from "../Errors.ts"
import type { Credentials } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"
import type { Identity } from "./Identity.ts"
import * as LoginQueue from "./LoginQueue.ts"
import { PasswordHashes } from "./PasswordHashes.ts"

export interface Options {
  /** `https:`, or `http:` on this machine: over `http:` passwords are sent in the clear. */
  readonly url: string
  /** Sent as a bearer token (RFC 6750). */
  readonly token?: Redacted.Redacted | undefined
  /** The time limit of a request; 5 seconds by default. */
  readonly timeout?: Duration.Input
  /** The number of concurrent requests; 32 by default. Twice as many logins can wait. */
  readonly atOnce?: number
}

interface Question {
  readonly user: string
  readonly password: string
  readonly client: string
}

type Verify = (
  credentials: Credentials,
  from: NetAddress.SocketAddress
) => Effect.Effect<Identity, VerificationError>

/** The number of answers that are cached. */
const limit = 8192

/** The most milliseconds for which an answer is cached, whatever its `ttl`. */
const longest = 24 * 3_600_000

/** The most characters of an answer. */
const mostCharacters = 65_536

export const make = Effect.fnUntraced(function* ({
  url,
  token,
  timeout = "5 seconds",
  atOnce = 32
}: Options): Effect.fn.Return<Verify, never, PasswordHashes | Scope.Scope> {
  const { digest } = yield* PasswordHashes
  const answers = yield* AnswerCache.make<Identity, VerificationError>(limit)
  const gate = LoginQueue.make(atOnce, 2 * atOnce)
  let isDown = false

  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    ...(token && { authorization: `Bearer ${Redacted.value(token)}` })
  }

  const post = (question: Question) =>
    Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(url, {
          method: "POST",
          headers,
          body: JSON.stringify(question),
          // The password is for this URL only.
          redirect: "error",
          signal
        })
        if (response.status !== 200) await response.body?.cancel()
        return { status: response.status, body: response.status === 200 ? await bodyOf(response) : "" }
      },
      catch: (error) => new AuthenticationUnavailable({ reason: codeOf(error) })
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(new AuthenticationUnavailable({ reason: "no answer in time" }))
      })
    )

  const ask = Effect.fnUntraced(function* (
    question: Question
  ): Effect.fn.Return<AnswerCache.Answer<Identity>, AuthenticationFailed | AuthenticationUnavailable> {
    const { status, body } = yield* post(question)
    const user = printable(question.user)
    if (status === 401 || status === 403) return yield* new AuthenticationFailed({ user, reason: "refused" })
    if (status !== 200) return yield* new AuthenticationUnavailable({ reason: `status ${status}` })
    const permission = read(body)
    if (Option.isNone(permission)) {
      return yield* new AuthenticationUnavailable({ reason: "the answer cannot be read" })
    }
    return answerOf(permission.value, user)
  })

  /** Logs when the service begins to fail, and when the service answers again. */
  const notice = (exit: Exit.Exit<unknown, VerificationError>) => {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    const fails = error?._tag === "AuthenticationUnavailable"
    if (fails === isDown || (Exit.isFailure(exit) && error === undefined)) return Effect.void
    isDown = fails
    return fails
      ? Effect.logError("the authentication service fails: logins are refused", { reason: error.reason })
      : Effect.logInfo("the authentication service answers again")
  }

  return ({ username, password }, from) =>
    Effect.suspend(() => {
      const question = Option.all({ user: text(username), password: text(password) })
      // JSON cannot hold bytes that are no UTF-8.
      if (Option.isNone(question)) {
        return Effect.fail(new AuthenticationFailed({ user: printable(username), reason: "refused" }))
      }
      const client = NetAddress.isInetAddress(from) ? NetAddress.formatIp(from.address) : from.path
      const asked = gate(Effect.onExit(ask({ ...question.value, client }), notice))
      return Effect.flatMap(LoginQueue.Claim, (claim) =>
        answers.get(
          digest(username, password, utf8.encode(client)),
          Effect.provideService(asked, LoginQueue.Claim, claim)
        )
      )
    })
})

/** The answer of the service for an allowed user. */
const Permission = Schema.Struct({
  user: Schema.optionalKey(Schema.NonEmptyString.check(Schema.isMaxLength(255))),
  groups: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  limits: Schema.optionalKey(Limits.schema),
  ttl: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
})

const answerOf = (
  { user, groups, limits, ttl = 0 }: typeof Permission.Type,
  asked: string
): AnswerCache.Answer<Identity> => ({
  value: {
    user: user === undefined ? asked : printable(user),
    ...(groups && { groups }),
    ...(limits && { limits })
  },
  holdsFor: Math.min(Duration.toMillis(Duration.seconds(ttl)), longest)
})

/** The permission in a body. An empty body is a permission without fields. */
const read = (body: string): Option.Option<typeof Permission.Type> =>
  body.trim() === "" ? Option.some({}) : decode(body)

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Permission))

const bodyOf = async (response: Response): Promise<string> => {
  const decoder = new TextDecoder()
  let body = ""
  for await (const chunk of response.body ?? []) {
    body += decoder.decode(chunk, { stream: true })
    if (body.length > mostCharacters) throw new Error("the answer is too long")
  }
  return body
}

/** Node's code for a failed request. The text of the service is never logged. */
const codeOf = (error: unknown): string => {
  const { cause, name, message } = error as Error & { readonly cause?: { readonly code?: string } }
  return cause?.code ?? (name === "Error" ? message : "no HTTP answer")
}

const utf8 = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const text = Option.liftThrowable((bytes: Uint8Array): string => strict.decode(bytes))
