/**
 * What must not compile: a command for a client that was not authenticated. Held
 * by `npm run types`, for which an error that is expected and missing is an error.
 */
import * as Effect from "effect/Effect"
import type { Authenticated } from "../../src/auth/Authenticated.ts"
import { anonymous, type Identity } from "../../src/auth/Identity.ts"
import * as Command from "../../src/commands/Command.ts"
import type { CommandContext } from "../../src/commands/CommandContext.ts"
import type { Exchange, Protocol } from "../../src/protocols/Protocol.ts"
import type { Accepted, Admitted, Request, Running } from "../../src/session/States.ts"
import { accessOf } from "../../src/session/States.ts"

declare const accepted: Accepted
declare const authenticated: Authenticated
declare const claimed: Identity
declare const request: Request
declare const rest: Omit<CommandContext, "admitted" | "request">

const { peer } = accepted

/** What compiles. */
const admitted: Admitted = { peer, identity: authenticated, protocol: "HTTP", request }
void Command.run({ ...rest, admitted })
void accessOf(admitted)

// An identity that nobody proved: by name, or without one.
// @ts-expect-error
void ({ peer, identity: claimed, protocol: "HTTP", request } satisfies Admitted)
// @ts-expect-error
void ({ peer, identity: anonymous, protocol: "SOCKS4", request } satisfies Admitted)
// @ts-expect-error
void ({ peer, identity: { user: "root" }, protocol: "SOCKS5", request } satisfies Admitted)
// @ts-expect-error: a certificate may be missing
void ({ peer, identity: accepted.certified, protocol: "HTTP", request } satisfies Admitted)

// States that lack something.
// @ts-expect-error: no identity
void ({ peer, protocol: "HTTP", request } satisfies Admitted)
// @ts-expect-error: no protocol
void ({ peer, identity: authenticated, request } satisfies Admitted)
// @ts-expect-error: no request
void ({ peer, identity: authenticated, protocol: "HTTP" } satisfies Admitted)
// @ts-expect-error: no decision and no address
void ({ admitted } satisfies Running)

// Commands before there is a login.
// @ts-expect-error
void Command.run({ ...rest, admitted: accepted })
// @ts-expect-error
void Command.run({ ...rest, request })
// @ts-expect-error
void accessOf({ peer, protocol: "HTTP", request })

// A protocol that reads a request and authenticates nobody.
declare const spoken: Omit<Exchange, "admit">
declare const unproven: Effect.Effect<Omit<Admitted, "identity"> & { readonly identity: Identity }>
declare const proven: Effect.Effect<Admitted>
const careful: Protocol = { name: "HTTP", begin: () => Effect.succeed({ ...spoken, admit: proven }) }
void careful
// @ts-expect-error
const careless: Protocol = { name: "HTTP", begin: () => Effect.succeed({ ...spoken, admit: unproven }) }
void careless
