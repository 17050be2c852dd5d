/**
 * The options of a server in an app: every setting of the program but those of its command line, as plain values.
 * `test/library/ServerOptions.test.ts` compares them with the declarations of the settings, and writes their descriptions.
 */
import type * as Duration from "effect/Duration"
import type * as Host from "effect/net/Host"
import type * as IpNetwork from "effect/net/IpNetwork"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"

/** The options of a server: plain values, each refused with a sentence if it cannot be used. */
export interface ServerOptions {
  /**
   * Address to listen on: HOST:PORT, unix:/PATH or systemd. Port 0 lets the system choose a free port.
   * systemd stands for the sockets that systemd passes, systemd:NAME for those with this FileDescriptorName.
   * tls: in front of the address puts TLS on the listener. Options behind it, as in
   * ?protocols=socks5+http&udp=false, hold for this listener only. A tls: listener relays no UDP unless it
   * has udp=true. With HOST:PORT?wait=30s the start waits until this machine has the address.
   *
   * @default 127.0.0.1:1080
   */
  readonly listen?: Many<ListenOption> | undefined
  /**
   * Protocol that clients may speak.
   *
   * @default socks5, socks4, http
   */
  readonly protocols?: Many<"socks5" | "socks4" | "http"> | undefined
  /**
   * Relay datagrams (UDP ASSOCIATE and CONNECT-UDP). Clients of tls: listeners without udp=true have only
   * CONNECT-UDP, whose datagrams TLS protects.
   *
   * @default true
   */
  readonly udp?: boolean | undefined
  /**
   * Permissions of the sockets of unix: listeners.
   *
   * @default 0600
   */
  readonly unixMode?: number | `0${number}` | undefined
  /**
   * Certificate of tls: listeners: files, or auto for a self-signed one. files are those of --tls-cert and
   * --tls-key. auto is for trying: the server makes a certificate when it starts, and keeps it in memory
   * only.
   *
   * @default files
   */
  readonly tls?: "files" | "auto" | undefined
  /**
   * Certificate of the tls: listeners, followed by its chain (PEM).
   *
   * @default none
   */
  readonly tlsCert?: string | undefined
  /**
   * Private key of that certificate (PEM, without a passphrase).
   *
   * @default none
   */
  readonly tlsKey?: string | undefined
  /**
   * Certificate authority of client certificates (PEM). With this, clients of tls: listeners must have a
   * certificate; its common name is the user, and no password is asked.
   *
   * @default none
   */
  readonly tlsClientCa?: string | undefined
  /**
   * Revocation lists of client certificates (PEM), one for each authority. Without a valid list of its
   * authority a certificate is refused. The file is read again when it changes.
   *
   * @default none
   */
  readonly tlsClientCrl?: string | undefined
  /**
   * Network of proxies in front of this server. Their connections must begin with a PROXY header (version 1
   * or 2), which names the client. A header from elsewhere is never read.
   *
   * @default none
   */
  readonly proxyProtocolFrom?: Many<NetworkOption> | undefined
  /**
   * Allow everyone: listen beyond loopback without asking for a password.
   *
   * @default false
   */
  readonly open?: boolean | undefined
  /**
   * Time limit for PROXY header, TLS, greeting, authentication and request together.
   *
   * @default 10s
   */
  readonly handshakeTimeout?: DurationOption | undefined
  /**
   * Time that sessions have to finish when the server stops.
   *
   * @default 10s
   */
  readonly drainTimeout?: DurationOption | undefined
  /**
   * Answer every failed connection alike (01 or 502), so that clients cannot explore a network by the
   * replies.
   *
   * @default false
   */
  readonly blurFailures?: boolean | undefined
  /**
   * End sessions that new settings or a new users file would no longer allow: those of removed users, and
   * those that the policy now denies.
   *
   * @default false
   */
  readonly endDenied?: boolean | undefined
  /**
   * More users: NAME:PASSWORD, or name, password or password-hash, groups, expires, networks and limits.
   *
   * @default none
   */
  readonly users?: Many<Redacted.Redacted | UserOptions> | undefined
  /**
   * File with more users, read again when it changes. It has lines of NAME:HASH, as htpasswd -B (bcrypt) or
   * hash-password (scrypt) make them, or in .yaml or .json a list of users.
   *
   * @default none
   */
  readonly usersFile?: string | undefined
  /**
   * HTTP service that decides about users who are not listed: it gets POST {user, password, client} as JSON,
   * and answers 200 {groups, limits, ttl} or 401.
   *
   * @default none
   */
  readonly authUrl?: string | undefined
  /**
   * Bearer token for the service of --auth-url.
   *
   * @default none
   */
  readonly authToken?: Redacted.Redacted | undefined
  /**
   * Parameter that user names may have behind them, as in alice-session-42, which logs in as alice. It is
   * NAME, NAME:A|B for one of these words, NAME:number, or NAME:ttl for a duration such as 10m, after which
   * routes choose anew. Routes can go by it, and the log has it.
   *
   * @default none
   */
  readonly userParameters?: Many<string> | undefined
  /**
   * Network whose clients need no password; they may still give one. With this and no users, clients from
   * elsewhere are refused.
   *
   * @default none
   */
  readonly trust?: Many<NetworkOption> | undefined
  /**
   * Number of different wrong logins after which a client network is banned: an IPv4 address or an IPv6 /64.
   * A /56 is banned after four times as many, a /48 after sixteen times as many.
   *
   * @default 10
   */
  readonly banAfter?: number | "off" | undefined
  /**
   * Time without a failed login after which earlier ones are forgotten.
   *
   * @default 10m
   */
  readonly banWindow?: DurationOption | undefined
  /**
   * Duration of a first ban. Each further ban of the same network lasts twice as long, up to a day.
   *
   * @default 10m
   */
  readonly banTime?: DurationOption | undefined
  /**
   * File that keeps bans over a restart, one JSON object a line. Deleting a line lifts the ban. FILE.known
   * keeps which user logged in from which network. Read at the start only.
   *
   * @default none
   */
  readonly bansFile?: string | undefined
  /**
   * Directory that keeps used quotas over a restart, and, without --bans-file, which user logged in from
   * which network. Read at the start only.
   *
   * @default none
   */
  readonly stateDir?: string | undefined
  /**
   * Whether clients may go to private, loopback and other special addresses, and to the addresses of this
   * machine. auto allows it only if nobody but this machine can connect: every listener is on loopback, or is
   * a unix: socket of mode 0600.
   *
   * @default auto
   */
  readonly privateTargets?: "auto" | "allow" | "deny" | undefined
  /**
   * Target that is allowed although its address is special. It is a network, an address, a name, *.SUFFIX or
   * *, with :PORT or :FIRST-LAST behind it if wanted (IPv6 in brackets then). A name or * opens no loopback
   * or link-local address and no address of this machine, unless it is localhost or has local: in front. A
   * network opens no address of this machine but loopback and link-local ones.
   *
   * @default none
   */
  readonly allowTarget?: Many<string> | undefined
  /**
   * Target that is denied, whatever else allows it. *:25 (mail) is denied beside the targets given here,
   * unless none is among them.
   *
   * @default *:25
   */
  readonly denyTarget?: Many<string> | undefined
  /**
   * Rules of who may go where: the first rule whose conditions all hold decides. With rules, what none of
   * them allows is denied.
   *
   * @default none, and everything is allowed
   */
  readonly rules?: Many<RuleOptions> | undefined
  /**
   * Proxy auto-config file for browsers, which everyone who can reach a listener gets at /proxy.pac. With all
   * it sends everything to the proxy, and with rules only the targets that rules may allow, of rules that
   * name no users, groups or listeners.
   *
   * @default off
   */
  readonly pac?: "off" | "all" | "rules" | undefined
  /**
   * Deny nothing, and log what the policy would have denied.
   *
   * @default false
   */
  readonly reportOnly?: boolean | undefined
  /**
   * Decisions that are logged, with the rule and the reason. auto is all where there are rules, else denied,
   * but those of forwarded HTTP requests, whose sessions have a line with the rule.
   *
   * @default auto
   */
  readonly logDecisions?: "auto" | "all" | "denied" | "none" | undefined
  /**
   * Proxy through which all targets are reached. It is socks5://USER:PASSWORD@HOST:1080, socks4://, http://
   * or https://. Several are a chain, the one next to this server first.
   *
   * @default none
   */
  readonly upstream?: Many<Redacted.Redacted | string> | undefined
  /**
   * Target that is reached directly in spite of --upstream: a name and the names below it, a network, or an
   * address.
   *
   * @default none
   */
  readonly noProxy?: Many<string> | undefined
  /**
   * Address from which connections and datagrams leave, or an interface that has it. Of several addresses and
   * of a network one is chosen by --egress-key. Targets of a family without an address are not reached.
   *
   * @default none
   */
  readonly egress?: Many<string> | undefined
  /**
   * What sessions have in common that leave from the same address: the user, or the address of a client
   * without one; client, for always the client's address; or a parameter of --user-parameters, for a session
   * of a user.
   *
   * @default user
   */
  readonly egressBy?: string | undefined
  /**
   * Secret by which an address of --egress is chosen. Machines with the same secret choose alike.
   *
   * @default none
   */
  readonly egressKey?: Redacted.Redacted | undefined
  /**
   * Ways to targets that rules name: a name, and via (a URL of an upstream, or several as a chain) or
   * members.
   *
   * @default none
   */
  readonly routes?: Many<RouteOptions> | undefined
  /**
   * Time limit for finding the addresses of a name.
   *
   * @default 5s
   */
  readonly resolveTimeout?: DurationOption | undefined
  /**
   * Time limit for connecting to a target, all its addresses together.
   *
   * @default 10s
   */
  readonly connectTimeout?: DurationOption | undefined
  /**
   * Time without any bytes after which a session is ended.
   *
   * @default 15m
   */
  readonly idleTimeout?: DurationOption | "off" | undefined
  /**
   * The same for a session of which one side has finished sending.
   *
   * @default 1m
   */
  readonly halfCloseTimeout?: DurationOption | "off" | undefined
  /**
   * Time limit for the connection that a BIND waits for.
   *
   * @default 2m
   */
  readonly bindTimeout?: DurationOption | undefined
  /**
   * Name server to ask, in place of those of this machine: ADDRESS, tcp://ADDRESS or tls://ADDRESS, with
   * :PORT if wanted. Those of the next kind are asked if one kind fails. tls: checks that the certificate is
   * of the address, or with ?name=NAME behind it of that name.
   *
   * @default none
   */
  readonly dns?: Many<string> | undefined
  /**
   * Name with an address of its own, before the hosts file and the name servers. A name can have several
   * addresses. They are judged as all others.
   *
   * @default none
   */
  readonly staticHosts?: Many<`${string}=${string}`> | undefined
  /**
   * Prefix of a NAT64 translator, by which IPv4 addresses are reached where this machine has no IPv4. auto
   * finds it by the name ipv4only.arpa. Addresses under a prefix that is given are judged as the IPv4
   * addresses that they stand for.
   *
   * @default auto
   */
  readonly nat64?: "auto" | "off" | NetworkOption | undefined
  /**
   * Family of addresses that is tried first, where a name has both.
   *
   * @default ipv6
   */
  readonly prefer?: "ipv6" | "ipv4" | undefined
  /**
   * How connections are made: descriptors (Linux, with the package koffi) cost less CPU and memory than the
   * sockets of Node. Where there are none, node serves. auto is descriptors on Linux on x64 with glibc, and
   * node elsewhere. Read at the start only.
   *
   * @default auto
   */
  readonly transport?: "auto" | "node" | "descriptors" | undefined
  /**
   * Allow BIND: wait for one connection from a target, as FTP in active mode needs it.
   *
   * @default false
   */
  readonly bind?: boolean | undefined
  /**
   * Limit of connections that have not sent their request yet, as MaxStartups of OpenSSH: above START, RATE
   * percent of new connections are dropped at random, rising to all at FULL, those of the networks with most
   * open connections first. An IPv4 address or IPv6 /64 may have an eighth of the room that is left, a /48 a
   * quarter, this machine half. auto is half of the limit on open files, and 30 percent from a quarter of it.
   *
   * @default auto
   */
  readonly maxHandshakes?: `${number}:${number}:${number}` | "auto" | undefined
  /**
   * Limit of concurrent sessions in all. auto follows from the limit on open files.
   *
   * @default auto
   */
  readonly maxSessions?: number | "auto" | undefined
  /**
   * Limit of concurrent sessions of a client: an IPv4 address, or an IPv6 /64.
   *
   * @default off
   */
  readonly maxSessionsPerClient?: number | "off" | undefined
  /**
   * Limit of concurrent sessions of a user.
   *
   * @default off
   */
  readonly maxSessionsPerUser?: number | "off" | undefined
  /**
   * Limit of new sessions a second of a user, or of a client without one. Each HTTP request counts.
   *
   * @default off
   */
  readonly sessionRate?: number | "off" | undefined
  /**
   * Longest duration of a session, however busy it is.
   *
   * @default off
   */
  readonly maxLifetime?: DurationOption | "off" | undefined
  /**
   * Bytes that a user may transfer in a day (UTC), both directions together.
   *
   * @default off
   */
  readonly dailyQuota?: SizeOption | "off" | undefined
  /**
   * Bytes that a user may transfer in a month (UTC), both directions together.
   *
   * @default off
   */
  readonly monthlyQuota?: SizeOption | "off" | undefined
  /**
   * Day of the month (UTC) on which monthly quotas begin anew. Read at the start only.
   *
   * @default 1
   */
  readonly quotaResetDay?: number | undefined
  /**
   * What happens to sessions whose quota is used up: deny ends them and refuses new ones, throttle lets them
   * go on with --bandwidth-over-quota.
   *
   * @default deny
   */
  readonly onQuota?: "deny" | "throttle" | undefined
  /**
   * Bandwidth limit of each session, in bytes a second. It is given for what comes from the client and for
   * what goes to it, as 1MiB/10MiB, or for each of the two directions, as 10MiB.
   *
   * @default off
   */
  readonly bandwidthSession?: BandwidthOption | undefined
  /**
   * Bandwidth limit of a user, in bytes a second. It holds for all sessions of the user together, or of a
   * client without a user.
   *
   * @default off
   */
  readonly bandwidthUser?: BandwidthOption | undefined
  /**
   * Bandwidth limit of all sessions together, in bytes a second.
   *
   * @default off
   */
  readonly bandwidthTotal?: BandwidthOption | undefined
  /**
   * Bandwidth limit of a user or a rule whose quota is used up, with --on-quota throttle, for all its
   * sessions together.
   *
   * @default 64KiB
   */
  readonly bandwidthOverQuota?: BandwidthOption | undefined
  /**
   * Limit of concurrent associations of a user, or of a client without one.
   *
   * @default 256
   */
  readonly udpAssociations?: number | "off" | undefined
  /**
   * Store of usage: bytes, sessions and time of each user and day, of which quotas are taken, too. It is an
   * SQLite FILE or a PostgreSQL database; auto is usage.db in --state-dir, and off without one; off records
   * nothing. Read at the start only.
   *
   * @default auto
   */
  readonly usageStore?: string | Redacted.Redacted | undefined
  /**
   * Time for which usage is kept by day. A month that is older is summed up: reports have it as a whole only.
   * Days that a quota still counts are kept. Read at the start only.
   *
   * @default off
   */
  readonly usageRollup?: DurationOption | "off" | undefined
  /**
   * Time for which recorded days and months are kept. Those that a quota still counts are kept longer. Read
   * at the start only.
   *
   * @default 400d
   */
  readonly usageRetention?: DurationOption | "off" | undefined
  /**
   * Range of ports for the datagrams of clients. any leaves the choice to the system.
   *
   * @default any
   */
  readonly udpPorts?: `${number}-${number}` | "any" | undefined
  /**
   * Time without a datagram after which an association is ended, with its connection.
   *
   * @default 60s
   */
  readonly udpIdleTimeout?: DurationOption | "off" | undefined
  /**
   * Limit of datagrams a second from a client. Datagrams beyond it are dropped.
   *
   * @default off
   */
  readonly udpRate?: number | "off" | undefined
  /**
   * Require clients to declare the port that their datagrams come from.
   *
   * @default false
   */
  readonly udpStrict?: boolean | undefined
  /**
   * Pass datagrams from any sender on to the client, not only from targets that it has sent to.
   *
   * @default false
   */
  readonly udpFullCone?: boolean | undefined
  /**
   * Reassemble fragmented datagrams (FRAG of RFC 1928) instead of dropping them.
   *
   * @default false
   */
  readonly udpFragments?: boolean | undefined
  /**
   * Address that clients are told to send their datagrams to. Behind NAT it differs from the bound one.
   *
   * @default bound
   */
  readonly advertise?: string | NetAddress.IpAddress | undefined
  /**
   * Count sessions, bytes, times and refusals as metrics of Effect. With --admin they are counted in any
   * case. Read at the start only.
   *
   * @default false
   */
  readonly metrics?: boolean | undefined
  /**
   * Number of users that have metrics of their own. The bytes of all other users are counted together, under
   * the name other. Read at the start only.
   *
   * @default 100
   */
  readonly metricsUsers?: number | undefined
}

/** One value, or a list of them. */
export type Many<A> = A | ReadonlyArray<A>

/** A time above zero: `"15 minutes"`, `"15m"`, `"500ms"` or `Duration.minutes(15)`. A number has no unit, and is refused. */
export type DurationOption =
  | Duration.Duration
  | `${number} ${Duration.Unit}`
  | `${number}${"ms" | "s" | "m" | "h" | "d"}`

/** A number of bytes: `"10 MiB"`, `"10MiB"` (1024 * 1024 each), `"10 MB"` (a million each) or `10485760`. */
export type SizeOption =
  | number
  | `${number}${"" | " "}${"B" | "kB" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB"}`

/** Bytes a second: `"1MiB/10MiB"` for uploads and downloads, `"10 MiB"` for each of them, or an object with the two. */
export type BandwidthOption =
  | SizeOption
  | "off"
  | `${string}/${string}`
  | { readonly upload?: SizeOption | "off" | undefined; readonly download?: SizeOption | "off" | undefined }

/** `"10.0.0.0/8"`, `"2001:db8::/32"`, or an address for a network of one. */
export type NetworkOption = string | IpNetwork.IpNetwork

/** An address to listen on as the program takes it, such as `"127.0.0.1:1080"`, or one with options of its own. */
export type ListenOption =
  | string
  | Host.HostPort
  | NetAddress.SocketAddress
  | {
      /** As `"127.0.0.1:1080"`, `"unix:/path"` or `"tls:0.0.0.0:1443"`. */
      readonly address: string
      /** Protocols that clients may speak here. */
      readonly protocols?: Many<"socks5" | "socks4" | "http"> | undefined
      /** Whether datagrams of its clients are relayed. */
      readonly udp?: boolean | undefined
      /** How long the start waits until this machine has the address. */
      readonly wait?: DurationOption | undefined
    }

/** A user who may log in. Without a password and a hash of one, by a client certificate only. */
export interface UserOptions {
  /** 1 to 255 bytes, without a colon; or the common name of a client certificate. */
  readonly name: string
  /** 1 to 255 bytes. */
  readonly password?: Redacted.Redacted | undefined
  /** In the place of a password, its hash: of scrypt, as `effect-socks hash-password` makes it, or of bcrypt. */
  readonly passwordHash?: Redacted.Redacted | undefined
  /** Groups that rules can name. */
  readonly groups?: ReadonlyArray<string> | undefined
  /** The last day, in UTC, such as `"2027-03-31"`; or the moment when it is over, such as `"2027-03-31T18:00:00Z"`. */
  readonly expires?: string | undefined
  /** Networks that the user may log in from; every network, if left out. */
  readonly networks?: ReadonlyArray<NetworkOption> | undefined
  /** Limits of all sessions of the user together. */
  readonly limits?: LimitOptions | undefined
  /** If false, the user may not log in. */
  readonly enabled?: boolean | undefined
}

/** Limits of a user, or of the sessions that a rule allows. One that is left out is that of the settings. */
export interface LimitOptions {
  /** Concurrent sessions. */
  readonly sessions?: number | "off" | undefined
  /** New sessions a second. */
  readonly sessionRate?: number | "off" | undefined
  /** Bytes a second from clients, all sessions together. */
  readonly upload?: SizeOption | "off" | undefined
  /** Bytes a second to clients, all sessions together. */
  readonly download?: SizeOption | "off" | undefined
  /** The longest duration of each session. */
  readonly lifetime?: DurationOption | "off" | undefined
  /** Bytes in a day (UTC), both directions together. */
  readonly dailyQuota?: SizeOption | "off" | undefined
  /** Bytes in a month (UTC), both directions together. */
  readonly monthlyQuota?: SizeOption | "off" | undefined
}

/** A rule: it decides about a request for which all its conditions hold, if no rule before it does. */
export interface RuleOptions {
  /** The name in the log and in events; its number in the list, if left out. */
  readonly name?: string | undefined
  /** Allows the request. A rule has either this or `deny`. */
  readonly allow?: true | undefined
  /** Denies the request; a text is the reason, which the client and the log are told. */
  readonly deny?: true | string | undefined
  /** Names of users. */
  readonly users?: Many<string> | undefined
  /** Groups of users. */
  readonly groups?: Many<string> | undefined
  /** Networks and addresses of clients. */
  readonly clients?: Many<NetworkOption> | undefined
  /** Listeners that clients came in by, such as `"127.0.0.1:1080"`. */
  readonly listeners?: Many<string> | undefined
  /** Commands. */
  readonly commands?: Many<"connect" | "bind" | "associate" | "forward"> | undefined
  /** Protocols of clients. */
  readonly protocols?: Many<"socks5" | "socks4" | "http"> | undefined
  /** Targets: `"example.com"`, `"*.example.com:443"`, `"10.0.0.0/8"`, `"**"` for every name, `"*"` for everything. */
  readonly to?: Many<string> | undefined
  /** Ports of targets, and ranges such as `"8000-8999"`. */
  readonly ports?: Many<number | `${number}-${number}`> | undefined
  /** Days and times, such as `"mon-fri 08:00-18:00"`. */
  readonly when?: Many<string> | undefined
  /** The time zone of `when`, such as `"Europe/Berlin"`; that of the machine, if left out. */
  readonly timezone?: string | undefined
  /** Limits of all sessions that the rule allows, together. */
  readonly limits?: LimitOptions | undefined
  /** The route to the targets that the rule allows: the name of one of `routes`, `direct` or `deny`. */
  readonly route?: string | undefined
}

/** A way to targets that rules name. */
export interface RouteOptions {
  /** The name: letters, digits and `.` `_` `-`. */
  readonly name: string
  /** The URL of an upstream, or several as a chain, the one next to this server first. */
  readonly via?: Many<Redacted.Redacted | string> | undefined
  /** In the place of `via`, several ways, of which each session gets one. */
  readonly members?: Many<Redacted.Redacted | string | MemberOptions> | undefined
  /** File of more members. */
  readonly membersFile?: string | undefined
  /** Where it leaves from, by this route alone: as the setting `egress`. */
  readonly egress?: Many<string> | undefined
  /** The name servers for the names of its targets, as the setting `dns`. */
  readonly dns?: Many<string> | undefined
  /** With `dns`, the family of addresses that is tried first. */
  readonly prefer?: "ipv6" | "ipv4" | undefined
  /** Whether the last upstream gets the names of targets, or judged addresses; by default, what its URL says. */
  readonly names?: "here" | "upstream" | undefined
  /** How a session gets its member; `round-robin`, if left out. */
  readonly choose?: "round-robin" | "least-sessions" | "random" | "sticky" | undefined
  /** With `sticky`, what sessions of one member have in common: `user`, `client`, or the name of a parameter. */
  readonly stickyBy?: string | undefined
  /** The target `HOST:PORT` to which each member is tried, and how often; every 30 seconds, if left out. */
  readonly check?: { readonly target: string; readonly every?: DurationOption | undefined } | undefined
}

/** One of several ways. */
export interface MemberOptions {
  /** The name in the log; the URL without its password, if left out. */
  readonly name?: string | undefined
  /** The URL of an upstream, or several as a chain. */
  readonly via: Many<Redacted.Redacted | string>
  /** How many sessions it gets, in proportion to the others; 1, if left out. */
  readonly weight?: number | undefined
  /** Labels such as `country=de`: sessions with this parameter in their user name get members with the label only. */
  readonly labels?: Many<string> | undefined
}
